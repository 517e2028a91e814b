import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Plan } from '../../src/model/index.ts';
import { type Machine, machine } from '../support/backstay.ts';
import { downKubeconfig } from '../support/credentials.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';

/** On a real server, by a role that may make no database, with the API server down. */
describe('backstay db restore --in-place', { timeout: 180_000 }, () => {
  let root: string;
  let server: TestPostgres;
  let here: Machine;

  const restore = ['db', 'restore', 'shop', 'latest', '--database-lease', '--yes', '--reason', 'bad'];
  const titles = async (): Promise<unknown> => await server.run('books', 'SELECT id, title FROM books ORDER BY id');

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'backstay-db-in-place-'));
    server = await startTestPostgres();
    await server.run(
      'postgres',
      `CREATE ROLE modest LOGIN NOCREATEDB PASSWORD '${server.password}'`,
      'GRANT CREATE ON DATABASE postgres TO modest',
      'CREATE DATABASE books OWNER modest',
    );
    await server.run(
      'books',
      'SET SESSION AUTHORIZATION modest',
      'CREATE TABLE books (id serial PRIMARY KEY, title text)',
      `INSERT INTO books (title) VALUES ('one'), ('two'), ('three')`,
    );
    here = await machine({ env: { DB_PASSWORD: server.password, KUBECONFIG: await downKubeconfig(root) } });
    await here.stack(
      'shop',
      `config:\n  backstay:namespaces: [shop]\n  backstay:stores:\n    - name: books\n      kind: postgres\n      connection: { host: 127.0.0.1, port: ${server.port}, database: books, user: modest, password: { env: DB_PASSWORD } }\n`,
    );
    await here.ok(['keys', 'init', 'shop']);
  }, 60_000);
  afterAll(async () => {
    await here.remove();
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });

  it.each([['--tables', 'books'], ['--preserve-new-data'], ['--all']])('does not go with %s', async (...other) => {
    expect(await here.refused([...restore, '--in-place', ...other])).toMatchObject({ code: 'USAGE' });
  });

  it('goes back where a restore beside is refused, with a backup of now before it', async () => {
    await here.ok(['db', 'backup', 'shop', '--no-restore']);
    await server.run('books', `UPDATE books SET title = 'damaged' WHERE id = 2`, 'DELETE FROM books WHERE id = 3');
    expect(await here.refused(restore)).toMatchObject({ code: 'STORE_REFUSED' });

    await server.run('books', 'CREATE VIEW newest AS SELECT max(id) FROM books');
    const refusal = await here.refused([...restore, '--in-place']);
    expect(refusal).toMatchObject({ code: 'STORE_REFUSED' });
    expect(JSON.stringify(refusal)).toContain('view public.newest is not in the backup and needs table public.books');
    await server.run('books', 'DROP VIEW newest');

    const dry = await here.ok([...restore, '--in-place', '--dry-run', '--output', 'json']);
    const shown = JSON.parse(dry.stdout) as { plan?: Plan } & Plan;
    const { steps } = shown.plan ?? shown;
    const data = steps.filter(({ id }) => id.startsWith('db-'));
    expect(data.map(({ id, phase }) => `${phase} ${id}`)).toEqual([
      'quiesced db-backup:books',
      'restored db-restore-in-place:books',
    ]);
    expect(data[1]).toMatchObject({ risk: 'high', destructive: true, reverse: { kind: 'db-unswap', store: 'books' } });
    expect(data[1]?.dataLoss).toMatch(/public\.books: 2 now, 3 then.*only in the backup that this run takes before/);

    expect(await here.run([...restore, '--in-place'])).toMatchObject({ code: 8 });
    expect(await titles()).toEqual([
      { id: 1, title: 'one' },
      { id: 2, title: 'two' },
      { id: 3, title: 'three' },
    ]);

    // `latest` is by now what was live before: the way back that `undo` names.
    expect(await here.run([...restore, '--in-place'])).toMatchObject({ code: 8 });
    expect(await titles()).toEqual([
      { id: 1, title: 'one' },
      { id: 2, title: 'damaged' },
    ]);
  });

  it.each(['before', 'after'])('goes on after it was killed %s the restore, and restores once', async (when) => {
    await server.run('books', 'TRUNCATE books', `INSERT INTO books VALUES (1, 'then')`);
    await here.ok(['db', 'backup', 'shop', '--no-restore']);
    await server.run('books', `UPDATE books SET title = 'now'`);
    const killed = await here.run([...restore, '--in-place'], {
      env: { BACKSTAY_FAILPOINT: `data-store.restore-in-place.${when}` },
    });
    expect(killed.code).toBe(137);
    expect(await titles()).toEqual([{ id: 1, title: when === 'before' ? 'now' : 'then' }]);
    const made = await server.run('books', `SELECT 'books'::regclass::oid AS oid`);
    const { items } = await here.json<{ items: { run: string }[] }>(['history', 'shop']);
    const run = items[0]?.run ?? '';
    expect(await here.run(['resume', run, '--yes'])).toMatchObject({ code: 8 });
    expect(await titles()).toEqual([{ id: 1, title: 'then' }]);
    if (when === 'after') expect(await server.run('books', `SELECT 'books'::regclass::oid AS oid`)).toEqual(made);

    const refusal = await here.refused(['undo', run, '--yes', '--reason', 'wrong']);
    expect(refusal).toMatchObject({ code: 'STORE_UNSUPPORTED' });
    const command = /`backstay (db restore shop \S+ books --in-place)`/.exec(refusal.next)?.[1] ?? '';
    const back = [...command.split(' '), '--database-lease', '--yes', '--reason', 'it was the former data after all'];
    expect(await here.run(back)).toMatchObject({ code: 8 });
    expect(await titles()).toEqual([{ id: 1, title: 'now' }]);
  });
});
