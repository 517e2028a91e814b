import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Plan } from '../../src/model/index.ts';
import { type Machine, machine } from '../support/backstay.ts';
import { downKubeconfig } from '../support/credentials.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';

/** On a real server, with the API server down: what people wrote while a bad release damaged other rows is not lost. */
describe('backstay db restore --preserve-new-data', { timeout: 240_000 }, () => {
  let root: string;
  let server: TestPostgres;
  let here: Machine;

  const restore = [
    'db',
    'restore',
    'shop',
    'latest',
    '--preserve-new-data',
    '--database-lease',
    '--yes',
    '--reason',
    'bad',
  ];
  const titles = async (): Promise<unknown> => await server.run('books', 'SELECT id, title FROM books ORDER BY id');

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'backstay-db-keep-'));
    server = await startTestPostgres();
    await server.run('postgres', 'CREATE DATABASE books');
    await server.run(
      'books',
      'CREATE TABLE books (id serial PRIMARY KEY, title text)',
      'CREATE TABLE lines (what text)',
      `INSERT INTO books (title) VALUES ('one'), ('two'), ('three')`,
    );
    here = await machine({ env: { DB_PASSWORD: server.password, KUBECONFIG: await downKubeconfig(root) } });
    await here.stack(
      'shop',
      `config:\n  backstay:namespaces: [shop]\n  backstay:stores:\n    - name: books\n      kind: postgres\n      connection: { host: 127.0.0.1, port: ${server.port}, database: books, user: ada, password: { env: DB_PASSWORD } }\n`,
    );
    await here.ok(['keys', 'init', 'shop']);
  }, 60_000);
  afterAll(async () => {
    await here.remove();
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });

  it('tells which rows, and does what it told', async () => {
    await here.ok(['db', 'backup', 'shop', '--no-restore']);
    await server.run(
      'books',
      `UPDATE books SET title = 'damaged' WHERE id = 2`,
      'DELETE FROM books WHERE id = 3',
      `INSERT INTO books (title) VALUES ('new')`,
    );
    const shown = JSON.parse((await here.ok([...restore, '--dry-run', '--output', 'json'])).stdout) as {
      plan?: Plan;
    } & Plan;
    const { steps } = shown.plan ?? shown;
    expect(steps.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['db-restore:books', 'db-keep-new:books', 'db-swap:books']),
    );
    expect(steps.find(({ id }) => id === 'db-swap:books')?.dataLoss).toContain(
      'public.books: 1 new rows are kept, 1 changed ones set aside (2), 1 deleted ones come back',
    );
    expect(await titles()).toHaveLength(3);

    const done = await here.run(restore);
    expect(done).toMatchObject({ code: 8 });
    expect(await titles()).toEqual([
      { id: 1, title: 'one' },
      { id: 2, title: 'two' },
      { id: 3, title: 'three' },
      { id: 4, title: 'new' },
    ]);
    const aside = await server.run(
      'books',
      `SELECT schemaname, tablename FROM pg_tables WHERE schemaname LIKE 'quarantine%'`,
    );
    expect(aside).toHaveLength(1);
    const [{ schemaname, tablename } = {}] = aside;
    expect(await server.run('books', `SELECT id, title FROM "${String(schemaname)}"."${String(tablename)}"`)).toEqual([
      { id: 2, title: 'damaged' },
    ]);
    expect(await server.run('books', `INSERT INTO books (title) VALUES ('next') RETURNING id`)).toEqual([{ id: 5 }]);
  });

  it('refuses, and changes nothing, where rows cannot be told apart', async () => {
    await here.ok(['db', 'backup', 'shop', '--no-restore']);
    await server.run('books', `INSERT INTO lines VALUES ('x')`);
    const before = await titles();
    const refusal = await here.refused(restore);
    expect(refusal).toMatchObject({ code: 'STORE_REFUSED' });
    expect(JSON.stringify(refusal)).toContain('public.lines: it has no primary key, and changed');
    expect(await titles()).toEqual(before);
    expect(
      await server.run(
        'postgres',
        `SELECT datname FROM pg_database WHERE datname LIKE 'books\\_\\_bs%' AND datname NOT LIKE '%\\_prev'`,
      ),
    ).toEqual([]);
  });
});
