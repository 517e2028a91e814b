import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BackupManifest, RecoveryWindow } from '../../src/model/index.ts';
import { type Machine, machine } from '../support/backstay.ts';
import { downKubeconfig } from '../support/credentials.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';

/** On a real server that archives its log; no cluster is asked for any of it. */
describe('backstay db, to a moment of the past', { timeout: 240_000 }, () => {
  let root: string;
  let server: TestPostgres;
  let here: Machine;
  let good: string;

  const rows = async (): Promise<unknown> =>
    (await server.run('books', 'SELECT count(*)::int AS n FROM books'))[0]?.['n'];
  const clock = async (): Promise<string> =>
    String(
      (await server.run('books', `SELECT (clock_timestamp() AT TIME ZONE 'UTC')::text || 'Z' AS at`))[0]?.['at'],
    ).replace(' ', 'T');
  const archived = async (): Promise<void> => {
    const [row] = await server.run('postgres', 'SELECT pg_walfile_name(pg_switch_wal()) AS name');
    for (;;) if ((await readdir(join(root, 'wal'))).includes(String(row?.['name']))) return;
  };

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'backstay-db-past-'));
    await mkdir(join(root, 'wal'));
    await chmod(root, 0o755);
    await chmod(join(root, 'wal'), 0o777);
    const to = join(root, 'wal');
    const archiving = `archive_command=cp "%p" "${to}/%f.partial" && mv "${to}/%f.partial" "${to}/%f"`;
    server = await startTestPostgres(['archive_mode=on', archiving].flatMap((setting) => ['-c', setting]));
    await server.run('postgres', 'CREATE DATABASE books');
    await server.run('books', 'CREATE TABLE books (id int PRIMARY KEY)', 'INSERT INTO books VALUES (1), (2)');
    // Of an API server that is down: with --database-lease it is not asked.
    here = await machine({ env: { DB_PASSWORD: server.password, KUBECONFIG: await downKubeconfig(root) } });
    const store = (archive: string): string =>
      `config:\n  backstay:namespaces: [shop]\n  backstay:stores:\n    - name: books\n      kind: postgres\n      connection: { host: 127.0.0.1, port: ${server.port}, database: books, user: ada, password: { env: DB_PASSWORD } }\n${archive}`;
    await here.stack(
      'shop',
      store(`      archive: { base: '${join(root, 'base')}', wal: '${to}', scratch: '${join(root, 'scratch')}' }\n`),
    );
    await here.ok(['keys', 'init', 'shop']);
    await here.stack('bare', store(''));
    await here.stack('odd', store(`      archive: { base: here, baseCommand: [fetch], wal: there }\n`));
  }, 60_000);
  afterAll(async () => {
    await here.remove();
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });

  it('copies the server, tells how far back one can go, and goes there', async () => {
    const bare = JSON.parse((await here.ok(['db', 'list', 'shop', '--output', 'json'])).stdout) as {
      items: { windows: RecoveryWindow[] }[];
    };
    expect(bare.items[0]?.windows).toEqual([]);
    const copied = await here.ok(['db', 'base', 'shop']);
    expect(copied.stdout).toMatch(/copied {2}\S+ {2}\S+ \S+ {2}timeline 1, from \S+ to \S+/);
    // A checkpoint is known to the second: no moment of the same second can be told from one before it.
    await server.run('books', `SELECT pg_sleep_until(date_trunc('second', clock_timestamp()) + interval '1 second')`);
    await server.run('books', 'INSERT INTO books VALUES (3)');
    good = await clock();
    await server.run('books', 'DELETE FROM books');
    await server.run('books', `SELECT pg_create_restore_point('too late')`);
    await archived();
    expect((await here.ok(['db', 'list', 'shop'])).stdout).toMatch(/past {2}\d{4}-\S+Z to \d{4}-\S+Z {2}\(/);

    const taken = await here.ok(['db', 'backup', 'shop', '--at', good, '--promote', '--output', 'json']);
    const { manifest } = JSON.parse(taken.stdout) as { manifest: BackupManifest };
    expect(manifest).toMatchObject({
      rows: { 'public.books': 3 },
      source: { target: { kind: 'time', time: good }, promoted: true },
    });
    const late = await here.ok(['db', 'backup', 'shop', 'books', '--restore-point', 'too late', '--no-restore']);
    expect(late.stdout).toContain('0 rows in 1 tables  proven: read');
    expect(late.stdout).toContain('restore point "too late"');
    expect(await rows()).toBe(0);

    const args = [
      'db',
      'restore',
      'shop',
      'books',
      '--to-time',
      good,
      '--database-lease',
      '--yes',
      '--reason',
      'books are gone',
    ];
    const shown = await here.ok([...args, '--dry-run']);
    expect(shown.stdout).toContain('public.books');
    expect(await rows()).toBe(0);
    const done = await here.run(args);
    expect(done).toMatchObject({ code: 8 });
    expect(await rows()).toBe(3);
    expect(await readdir(join(root, 'scratch'))).toEqual([]);
  });

  it.each<[string, readonly string[], string]>([
    ['no archive', ['db', 'backup', 'bare', '--at', '2026-01-31T12:00:00Z'], 'STORE_UNSUPPORTED'],
    ['no archive for a copy', ['db', 'base', 'bare'], 'STORE_UNSUPPORTED'],
    ['two sources of one thing', ['db', 'base', 'odd'], 'STACK_INVALID'],
    ['a time without its offset', ['db', 'backup', 'shop', '--at', '2026-01-31 12:00'], 'USAGE'],
    ['two moments', ['db', 'backup', 'shop', '--at', '2026-01-31T12:00:00Z', '--restore-point', 'x'], 'USAGE'],
    [
      'a backup and a moment',
      ['db', 'restore', 'shop', 'latest', 'books', '--to-time', '2026-01-31T12:00:00Z'],
      'USAGE',
    ],
    ['neither', ['db', 'restore', 'shop'], 'USAGE'],
    ['a moment before all', ['db', 'backup', 'shop', '--at', '2001-01-31T12:00:00Z'], 'RECOVERY_REFUSED'],
  ])('refuses: %s', async (_what, args, code) => {
    await expect(here.refused(args)).resolves.toMatchObject({ code });
  });
});
