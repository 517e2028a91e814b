import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/model/index.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';
import { type RunAnswer, type Shop, shop } from '../support/shop.ts';

/** S6 where no backup is young enough: application and data go to one moment of the past, by one command. */
describe('a rollback to a moment of the past', { timeout: 240_000 }, () => {
  let root: string;
  let server: TestPostgres;
  let here: Shop;

  const configMap = (v: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: here.namespace },
    data: { v },
  });
  const rows = async (): Promise<unknown> =>
    (await server.run('books', 'SELECT count(*)::int AS n FROM pages'))[0]?.['n'];
  const archived = async (): Promise<void> => {
    const [row] = await server.run('postgres', 'SELECT pg_walfile_name(pg_switch_wal()) AS name');
    for (;;) if ((await readdir(join(root, 'wal'))).includes(String(row?.['name']))) return;
  };

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'backstay-past-'));
    await mkdir(join(root, 'wal'));
    await chmod(root, 0o755);
    await chmod(join(root, 'wal'), 0o777);
    const to = join(root, 'wal');
    const archiving = `archive_command=cp "%p" "${to}/%f.partial" && mv "${to}/%f.partial" "${to}/%f"`;
    server = await startTestPostgres(['archive_mode=on', archiving].flatMap((setting) => ['-c', setting]));
    await server.run('postgres', 'CREATE DATABASE books');
    await server.run('books', 'CREATE TABLE pages (id int PRIMARY KEY)', 'INSERT INTO pages VALUES (1), (2)');
    here = await shop(
      'past',
      `  backstay:stores:
    - name: books
      kind: postgres
      connection: { host: 127.0.0.1, port: ${server.port}, database: books, user: ada, password: { env: BOOKS_PASSWORD } }
      archive: { base: '${join(root, 'base')}', wal: '${to}', scratch: '${join(root, 'scratch')}' }
`,
      { env: { BOOKS_PASSWORD: server.password } },
    );
    await here.cluster.create(configMap('good'));
    await here.capture(['--no-checks', '--as', 'good']);
    await here.machine.ok(['db', 'base', here.name]);
    await server.run('books', 'INSERT INTO pages VALUES (3)', `SELECT pg_create_restore_point('before-release')`);
    await here.cluster.apply(configMap('bad'), { force: true });
    await server.run('books', 'DELETE FROM pages WHERE id < 3');
    await archived();
  }, 120_000);
  afterAll(async () => {
    await here.remove();
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });

  it('refuses a moment that is not to be had before anything is touched', async () => {
    const to = (moment: string): string[] => [
      'rollback',
      here.name,
      '--to',
      'good',
      '--yes',
      '--restore',
      `books=@${moment}`,
    ];
    for (const moment of ['2001-01-01T00:00:00Z', 'no-such-point'])
      expect(await here.machine.refused(to(moment))).toMatchObject({ exit: 7, code: 'RECOVERY_REFUSED' });
    expect(await here.machine.refused([...to('before-release').slice(0, -1), 'other=@before-release'])).toMatchObject({
      code: 'STORE_UNKNOWN',
    });
    expect(await rows()).toBe(1);
  });

  it('takes objects and data there in one run, and both back by one undo', async () => {
    const done = await here.machine.json<RunAnswer>([
      'rollback',
      here.name,
      '--to',
      'good',
      '--yes',
      '--restore',
      'books=@before-release',
    ]);
    expect(done.outcome).toBe('succeeded');
    expect(await rows()).toBe(3);
    expect((await here.get('ConfigMap', 'settings'))['data']).toEqual({ v: 'good' });
    expect(await readdir(join(root, 'scratch'))).toEqual([]);
    const undone = await here.machine.json<RunAnswer>(['undo', done.run, '--yes']);
    expect(undone.outcome).toBe('succeeded');
    expect(await rows()).toBe(1);
    expect((await here.get('ConfigMap', 'settings'))['data']).toEqual({ v: 'bad' });
  });
});
