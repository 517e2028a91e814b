import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MigratedStore } from '../../src/actions/db-migrations.ts';
import { type Machine, machine } from '../support/backstay.ts';
import { exampleOf, migrationsLike } from '../support/migrations/index.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';

/** On a real server; no cluster is asked for any of it. */
describe('backstay db migrations', { timeout: 60_000 }, () => {
  let server: TestPostgres;
  let here: Machine;
  let folder: string;
  const left: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    server = await startTestPostgres();
    left.push(async () => await server.stop());
    await server.run('postgres', 'CREATE DATABASE books');
    const example = await exampleOf('table');
    left.push(async () => await example.remove());
    folder = example.folder;
    const like = migrationsLike({ setting: { tool: 'table' }, database: 'books', server, folder });
    await like.migrate(await like.wayTo('2'));
    await rm(join(folder, '0001_documents.down.sql'));
    here = await machine({ env: { DB_PASSWORD: server.password } });
    left.push(async () => await here.remove());
    const store = (name: string, port: number, migrations: string): string =>
      `    - name: ${name}\n      kind: postgres\n      connection: { host: 127.0.0.1, port: ${port}, database: books, user: ada, password: { env: DB_PASSWORD } }\n${migrations}`;
    const migrations = `      migrations: { tool: table, runs: { folder: ${folder} } }\n`;
    const stack = async (name: string, ...stores: readonly string[]): Promise<void> =>
      await here.stack(name, `config:\n  backstay:namespaces: [shop]\n  backstay:stores:\n${stores.join('')}`);
    await stack('shop', store('main', server.port, migrations), store('plain', server.port, ''));
    await stack('cut-off', store('main', server.port, migrations), store('gone', 1, migrations));
    await stack('bare', store('plain', server.port, ''));
  }, 120_000);
  afterAll(async () => {
    for (const end of left.toReversed()) await end();
  });

  const asked = async (...args: readonly string[]) => {
    const { code, stdout } = await here.run(['db', 'migrations', ...args, '--output', 'json']);
    return { code, items: (JSON.parse(stdout) as { readonly items: readonly MigratedStore[] }).items };
  };

  it('tells where each schema stands, and what there is', async () => {
    const { code, items } = await asked('shop');
    expect(code).toBe(0);
    expect(items).toEqual([
      expect.objectContaining({
        store: 'main',
        tool: 'table',
        runs: folder,
        current: { store: 'main', tool: 'table', revision: '0002_notes', heads: ['0002_notes'] },
        newest: ['0003_tags'],
      }),
    ]);
    expect(items[0]?.known?.map(({ applied, reversible }) => [applied, reversible])).toEqual([
      [true, false],
      [true, true],
      [false, true],
    ]);
    const { stdout } = await here.ok(['db', 'migrations', 'shop']);
    expect(stdout).toContain('at 0002_notes  the scripts lead on to 0003_tags');
    expect(stdout).toMatch(/0001_documents +applied +documents +cannot be taken back/);
    expect((await here.ok(['db', 'migrations', 'bare'])).stdout).toContain('declares how its schema is migrated');
  });

  it('shows the way to a revision, back and on, and takes none', async () => {
    const { items } = await asked('shop', 'main', '--to', '-1');
    expect(items[0]?.way).toMatchObject({ from: '0002_notes', to: '0001_documents', direction: 'down' });
    expect((await here.ok(['db', 'migrations', 'shop', '--to', 'base'])).stdout).toMatch(
      /down from 0002_notes to base, sha256:[0-9a-f]{64}\n +1\. undo 0002_notes {2}notes\n +2\. undo 0001_documents {2}documents {2}cannot be taken back/,
    );
    expect((await here.ok(['db', 'migrations', 'shop', '--to', '3'])).stdout).toContain('1. apply 0003_tags');
    expect((await here.ok(['db', 'migrations', 'shop', '--to', '2'])).stdout).toContain('there already');
    expect((await asked('shop')).items[0]?.current?.revision).toBe('0002_notes');
  });

  it('refuses what is not there', async () => {
    await expect(here.refused(['db', 'migrations', 'shop', '--to', 'nowhere'])).resolves.toMatchObject({
      code: 'MIGRATION_REFUSED',
    });
    await expect(here.refused(['db', 'migrations', 'shop', 'plain'])).resolves.toMatchObject({ code: 'STORE_UNKNOWN' });
    await expect(here.refused(['db', 'migrations', 'bare', '--to', '1'])).resolves.toMatchObject({
      code: 'STORE_UNKNOWN',
    });
    await expect(here.refused(['db', 'migrations', 'cut-off', '--to', '1'])).resolves.toMatchObject({
      code: 'STORE_UNKNOWN',
    });
  });

  it('ends with 1 where one cannot be asked, and tells of the others all the same', async () => {
    const { code, items } = await asked('cut-off');
    expect(code).toBe(1);
    expect(items[0]?.current?.revision).toBe('0002_notes');
    expect(items[1]?.failure).toContain('127.0.0.1:1/books');
    expect(JSON.stringify(items)).not.toContain(server.password);
  });
});
