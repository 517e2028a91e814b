import { appendFile, chmod, chown, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresStore } from '../../support/postgres-store.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { BackupManifest } from '../../../src/model/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

/** A server that was recovered once itself, as after a failover: its log goes on upon a second timeline. */
describe('a moment of the past before and after a failover', { timeout: 240_000 }, () => {
  let root: string;
  let server: TestPostgres;
  let store: DataStore;
  const moments: string[] = [];
  const wal = (): string => join(root, 'wal');

  const order = async (id: number): Promise<void> => {
    await server.run('shop', `INSERT INTO orders VALUES (${id})`);
    const [row] = await server.run('shop', `SELECT (clock_timestamp() AT TIME ZONE 'UTC')::text || 'Z' AS at`);
    moments[id] = String(row?.['at']);
  };
  const archived = async (): Promise<void> => {
    const [row] = await server.run('shop', 'SELECT pg_walfile_name(pg_switch_wal()) AS name');
    for (;;) if ((await readdir(wal())).includes(String(row?.['name']))) return;
  };
  const at = async (id: number): Promise<BackupManifest> => {
    if (store.backupAt === undefined) throw new TypeError('it has no past');
    return (await store.backupAt({ kind: 'time', time: moments[id] ?? '' })).manifest;
  };
  /** Recovers to the end of the log, and goes on as another timeline. */
  const failOver = async (): Promise<void> => {
    const [row] = await server.run('shop', 'SHOW data_directory');
    const data = String(row?.['data_directory']);
    await server.kill();
    await appendFile(join(data, 'postgresql.auto.conf'), `restore_command = 'cp "${wal()}/%f" "%p"'\n`);
    await writeFile(join(data, 'recovery.signal'), '');
    const { uid, gid } = await stat(data);
    await chown(join(data, 'recovery.signal'), uid, gid);
    await server.restart();
    for (;;) {
      const [now] = await server.run('shop', 'SELECT pg_is_in_recovery() AS is');
      if (now?.['is'] === false) return;
    }
  };

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'backstay-timeline-'));
    for (const name of ['wal', 'base', 'scratch', 'backups']) await mkdir(join(root, name));
    await chmod(root, 0o755);
    await chmod(wal(), 0o777);
    const archiving = `archive_command=cp "%p" "${wal()}/%f.partial" && mv "${wal()}/%f.partial" "${wal()}/%f"`;
    server = await startTestPostgres(['archive_mode=on', archiving].flatMap((setting) => ['-c', setting]));
    await server.run('postgres', 'CREATE DATABASE shop');
    await server.run('shop', 'CREATE TABLE orders (id int PRIMARY KEY)');
    const connection = server.connection('shop');
    store = postgresStore({
      stack: 'shop',
      setting: {
        name: 'main',
        kind: 'postgres',
        connection,
        tables: [],
        writers: [],
        archive: {
          base: { kind: 'folder', folder: join(root, 'base') },
          wal: { kind: 'folder', folder: wal() },
          scratch: join(root, 'scratch'),
        },
      },
      access: async () => ({ connection, password: server.password }),
      root: join(root, 'backups'),
      clock: createSystemClock(),
      env: process.env,
    });
    await store.takeBase?.();
    // A checkpoint is known to the second: no moment of the same second can be told from one before it.
    await server.run('shop', `SELECT pg_sleep_until(date_trunc('second', clock_timestamp()) + interval '1 second')`);
    for (const id of [1, 2]) await order(id);
    await archived();
    await order(3);
    await failOver();
    for (const id of [4, 5]) await order(id);
    await archived();
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });

  it('is reached from a base backup of before, on either side', async () => {
    const [window] = (await store.windows?.()) ?? [];
    expect(window).toMatchObject({ timeline: 2 });
    expect(window?.problem).toBeUndefined();
    expect(await at(1)).toMatchObject({ rows: { 'public.orders': 1 }, source: { timeline: 1 } });
    expect(await at(4)).toMatchObject({ rows: { 'public.orders': 4 }, source: { timeline: 2 } });
  });

  it('is not reached where the archive does not tell how the timelines lie', async () => {
    const history = join(wal(), '00000002.history');
    await rename(history, `${history}.away`);
    try {
      const refusal = await at(1).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'RECOVERY_REFUSED' });
      expect(String(refusal)).toContain('00000002.history is not in');
    } finally {
      await rename(`${history}.away`, history);
    }
  });
});
