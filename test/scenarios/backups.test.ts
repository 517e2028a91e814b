import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Machine, machine } from '../support/backstay.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';

interface Listed {
  readonly items: readonly {
    readonly name: string;
    readonly problem?: string;
    readonly live?: { readonly rows: Readonly<Record<string, number>> };
    readonly backups: readonly { readonly id: string; readonly proof?: string; readonly damaged?: string }[];
  }[];
}

/** Backups by hand, as the one who prepares for the night does them. */
describe('backstay db', () => {
  let server: TestPostgres;
  let here: Machine;

  const list = async (): Promise<Listed> => JSON.parse((await here.run(['db', 'list', 'books', '-o', 'json'])).stdout);

  beforeAll(async () => {
    server = await startTestPostgres();
    await server.run('postgres', 'CREATE DATABASE books');
    await server.run(
      'books',
      'CREATE TABLE pages (id int PRIMARY KEY)',
      'INSERT INTO pages SELECT generate_series(1, 300)',
    );
    here = await machine({ env: { BOOKS_PASSWORD: server.password } });
    await here.stack(
      'books',
      `config:
  backstay:namespaces: [books]
  backstay:stores:
    - name: main
      kind: postgres
      connection: { host: 127.0.0.1, port: ${server.port}, database: books, user: ada, password: { env: BOOKS_PASSWORD } }
`,
    );
    await here.ok(['keys', 'init', 'books']);
  });
  afterAll(async () => {
    await here.remove();
    await server.stop();
  });

  it('backs up, proves it by a restore, and leaves nothing beside the live data', async () => {
    const made = await here.json<{ id: string; proofs: { proof: string }[]; folder: string }>([
      'db',
      'backup',
      'books',
    ]);
    expect(made.proofs.map(({ proof }) => proof)).toEqual(['read', 'restored']);
    const { items } = await list();
    expect(items).toMatchObject([
      { name: 'main', live: { rows: { 'public.pages': 300 } }, backups: [{ id: made.id, proof: 'restored' }] },
    ]);
    expect(await server.run('postgres', `SELECT datname FROM pg_database WHERE datname LIKE 'books%'`)).toEqual([
      { datname: 'books' },
    ]);
    expect((await here.ok(['db', 'list', 'books'])).stdout).toContain('restored');
  });

  it('reads a backup again when it is told to, and names the one that is damaged', async () => {
    const made = await here.json<{ id: string; folder: string }>(['db', 'backup', 'books', 'main', '--no-restore']);
    expect((await here.ok(['db', 'verify', 'books', 'latest'])).stdout).toContain('300 rows');
    const file = join(made.folder, 'database.dump');
    await truncate(file, 500);
    for (const how of [[], ['--no-restore']])
      expect(await here.refused(['db', 'verify', 'books', made.id, ...how])).toMatchObject({
        exit: 7,
        code: 'BACKUP_DAMAGED',
        message: expect.stringContaining(file),
      });
    await rm(join(made.folder, 'manifest.json'));
    const { code, stdout } = await here.run(['db', 'list', 'books']);
    expect(code).toBe(7);
    expect(stdout).toContain('cut off');
  });

  it('says what there is when the name is wrong', async () => {
    expect(await here.refused(['db', 'backup', 'books', 'mian'])).toMatchObject({ exit: 64, code: 'STORE_UNKNOWN' });
    expect(await here.refused(['db', 'verify', 'books', 'nope'])).toMatchObject({ exit: 64, code: 'BACKUP_UNKNOWN' });
  });

  it('keeps the password to itself', async () => {
    const { code, stdout, stderr } = await here.run(['db', 'backup', 'books'], {
      env: { BOOKS_PASSWORD: 'wrong-one' },
    });
    expect(code).toBe(1);
    expect(stdout + stderr).toContain(`ada@127.0.0.1:${server.port}/books`);
    const said = [...here.transcript, stdout, stderr].join('\n');
    expect(said).not.toContain(server.password);
    expect(said).not.toContain('wrong-one');
  });
});
