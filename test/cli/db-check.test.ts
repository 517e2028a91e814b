import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Integrity } from '../../src/ports/index.ts';
import { type Machine, machine } from '../support/backstay.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';

interface Answer {
  readonly items: readonly { readonly name: string; readonly integrity?: Integrity; readonly failure?: string }[];
}

/** On real servers; no cluster is asked for any of it. */
describe('backstay db check', { timeout: 60_000 }, () => {
  let server: TestPostgres;
  let here: Machine;

  const check = async (...args: readonly string[]) => {
    const { code, stdout } = await here.run(['db', 'check', ...args, '--output', 'json']);
    return { code, answer: JSON.parse(stdout) as Answer };
  };

  beforeAll(async () => {
    server = await startTestPostgres();
    for (const name of ['books', 'users']) await server.run('postgres', `CREATE DATABASE ${name}`);
    await server.run(
      'books',
      'CREATE TABLE books (id int PRIMARY KEY, title text)',
      'CREATE TABLE pages (book int REFERENCES books)',
      `INSERT INTO books VALUES (1, 'one'), (2, 'two')`,
      'INSERT INTO pages VALUES (1), (2)',
    );
    here = await machine({ env: { DB_PASSWORD: server.password } });
    const store = (name: string, port = server.port): string =>
      `    - name: ${name}\n      kind: postgres\n      connection: { host: 127.0.0.1, port: ${port}, database: ${name}, user: ada, password: { env: DB_PASSWORD } }\n`;
    const stack = async (name: string, stores: readonly string[]): Promise<void> =>
      await here.stack(name, `config:\n  backstay:namespaces: [shop]\n  backstay:stores:\n${stores.join('')}`);
    await stack('shop', [store('books'), store('users')]);
    await stack('cut-off', [store('books'), store('gone', 1)]);
    await here.stack('bare', 'config:\n  backstay:namespaces: [shop]\n');
  }, 60_000);
  afterAll(async () => {
    await here.remove();
    await server.stop();
  });

  it('tells rows and contents of every store, and ends with 0 where they fit together', async () => {
    const { code, answer } = await check('shop');
    expect(code).toBe(0);
    expect(answer.items.map(({ name }) => name)).toEqual(['books', 'users']);
    expect(answer.items[0]?.integrity).toMatchObject({ rows: { 'public.books': 2, 'public.pages': 2 }, problems: [] });
    const { stdout } = await here.ok(['db', 'check', 'shop', 'books']);
    expect(stdout).toMatch(/books {2}postgres {2}fits together/);
    expect(stdout).toMatch(/public\.pages +2 +[0-9a-f]{16}/);
    expect(stdout).toContain('not asked');
    expect((await here.ok(['db', 'check', 'bare'])).stdout).toContain('declares no data store');
  });

  it('ends with 7 and names what does not', async () => {
    await server.run('books', 'SET session_replication_role = replica', 'INSERT INTO pages VALUES (3)');
    const { code, answer } = await check('shop');
    expect(code).toBe(7);
    expect(answer.items.map(({ integrity }) => integrity?.problems)).toEqual([
      ['public.pages: 1 rows refer to nothing in public.books by pages_book_fkey'],
      [],
    ]);
    const shown = await here.run(['db', 'check', 'shop', 'books']);
    expect(shown).toMatchObject({ code: 7, stdout: expect.stringContaining('1 rows refer to nothing') });
    expect((await check('shop', 'users')).code).toBe(0);
  });

  it.each([
    ['an empty name', ['db', 'backup', 'shop', 'books', '--tables', 'a,,b'], 'no list of tables'],
    ['every store', ['db', 'backup', 'shop', '--all', '--tables', 'a', '--reason', 'x'], 'exclude each other'],
    [
      'every store of a restore',
      ['db', 'restore', 'shop', 'm', '--all', '--tables', 'a', '--yes'],
      'exclude each other',
    ],
    ['the past', ['db', 'backup', 'shop', 'books', '--at', '2026-01-01T00:00:00Z', '--tables', 'a'], 'as a whole'],
  ])('and its neighbours refuse single tables with %s', async (_, args, message) => {
    const refused = await here.refused(args);
    expect(refused).toMatchObject({ code: 'USAGE', exit: 64, message: expect.stringContaining(message) });
  });

  it('ends with 1 where a store cannot be asked, and tells of the others all the same', async () => {
    const { code, answer } = await check('cut-off');
    expect(code).toBe(1);
    expect(answer.items[0]?.integrity?.rows).toMatchObject({ 'public.books': 2 });
    expect(answer.items[1]?.failure).toContain('127.0.0.1:1/gone');
    expect(JSON.stringify(answer)).not.toContain(server.password);
    await expect(here.refused(['db', 'check', 'shop', 'nothing'])).resolves.toMatchObject({ code: 'STORE_UNKNOWN' });
  });
});
