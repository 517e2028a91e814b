import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, open, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresStore } from '../../support/postgres-store.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import {
  type ArchiveSetting,
  type BaseBackup,
  microsOf,
  momentOf,
  type RecoveryTarget,
} from '../../../src/model/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

/**
 * On a real server that archives its log, with base backups of its own. What it went through: a base backup while others
 * write, `orders` one by one, a restore point, and then the bad release that deletes them.
 */
describe('a moment of the past of a PostgreSQL server', { timeout: 240_000 }, () => {
  let root: string;
  let server: TestPostgres;
  let base: BaseBackup | undefined;
  /** Microseconds: when the order of that number was committed. */
  const committed = new Map<number, bigint>();
  /** File of the log with the end of that story. */
  let lastOfStory: string;
  const folder = (name: string): string => join(root, name);

  const storeOf = (archive: Partial<ArchiveSetting> = {}, database = 'shop'): DataStore =>
    postgresStore({
      stack: 'shop',
      setting: {
        name: 'main',
        kind: 'postgres',
        connection: server.connection(database),
        tables: [],
        writers: [],
        archive: {
          base: { kind: 'folder', folder: folder('base') },
          wal: { kind: 'folder', folder: folder('wal') },
          scratch: folder('scratch'),
          ...archive,
        },
      },
      access: async () => ({ connection: server.connection(database), password: server.password }),
      root: folder('backups'),
      clock: createSystemClock(),
      env: process.env,
    });
  const at = async (target: RecoveryTarget, store = storeOf(), promote = false) => {
    if (store.backupAt === undefined) throw new TypeError('it has no past');
    return await store.backupAt(target, { promote });
  };
  const time = (micros: bigint): RecoveryTarget => ({ kind: 'time', time: momentOf(micros) });
  const order = async (id: number): Promise<void> => {
    await server.run('shop', `INSERT INTO orders VALUES (${id}, 'order ${id}')`);
    const [row] = await server.run(
      'shop',
      `SELECT (pg_xact_commit_timestamp(xmin) AT TIME ZONE 'UTC')::text || 'Z' AS at FROM orders WHERE id = ${id}`,
    );
    const micros = microsOf(String(row?.['at']));
    if (micros === undefined) throw new TypeError(`no commit time: ${String(row?.['at'])}`);
    committed.set(id, micros);
  };
  const commitOf = (id: number): bigint => committed.get(id) ?? 0n;
  /** Has the log archived up to now. */
  const archived = async (): Promise<string> => {
    const [row] = await server.run('postgres', 'SELECT pg_walfile_name(pg_switch_wal()) AS name');
    const name = String(row?.['name']);
    for (;;) if ((await readdir(folder('wal'))).includes(name)) return name;
  };
  const end = async (): Promise<bigint> => microsOf((await storeOf().windows?.())?.[0]?.to ?? '') ?? 0n;
  /** Folders and servers of a recovery that are still there. */
  const left = async (): Promise<readonly string[]> => {
    const pids = (await readdir('/proc').catch((): string[] => [])).filter((name) => /^\d+$/.test(name));
    const places = await Promise.all(pids.map(async (pid) => await readlink(`/proc/${pid}/cwd`).catch(() => '')));
    return [...(await readdir(folder('scratch'))), ...places.filter((place) => place.startsWith(folder('scratch')))];
  };
  const live = async (): Promise<unknown> =>
    await server.run('shop', 'SELECT count(*)::int AS n, pg_current_wal_insert_lsn() IS NOT NULL AS up FROM orders');

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'backstay-pitr-test-'));
    for (const name of ['wal', 'base', 'scratch', 'backups']) await mkdir(folder(name));
    // The server is another user where this is root.
    await chmod(root, 0o755);
    await chmod(folder('wal'), 0o777);
    const archiving = `archive_command=cp "%p" "${folder('wal')}/%f.partial" && mv "${folder('wal')}/%f.partial" "${folder('wal')}/%f"`;
    server = await startTestPostgres(
      ['archive_mode=on', archiving, 'track_commit_timestamp=on'].flatMap((setting) => ['-c', setting]),
    );
    await server.run('postgres', 'CREATE DATABASE shop');
    await server.run('shop', 'CREATE TABLE orders (id int PRIMARY KEY, what text NOT NULL)');
    await order(1);
    // Others write while it is copied: what they commit is in it, and no moment before that can be had from it.
    const writer = new Client({ ...server.connection('shop'), ssl: false, password: server.password });
    await writer.connect();
    const copied = new AbortController();
    const copying = storeOf()
      .takeBase?.()
      .finally(() => copied.abort());
    copying?.catch(() => undefined);
    while (!copied.signal.aborted) await writer.query(`SELECT txid_current()`);
    await writer.end();
    base = await copying;
    for (const id of [2, 3, 4]) await order(id);
    await server.run('shop', `SELECT pg_create_restore_point('before "the" release')`);
    for (const name of ['twice', 'twice']) await server.run('shop', `SELECT pg_create_restore_point('${name}')`);
    await order(5);
    await server.run('shop', 'DELETE FROM orders');
    await order(6);
    lastOfStory = await archived();
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });

  it('says from when to when one can go, and that is so', async () => {
    const [window, ...others] = (await storeOf().windows?.()) ?? [];
    expect(others).toEqual([]);
    expect(base).toMatchObject({ name: window?.base, timeline: 1, end: expect.any(String) });
    expect(window?.problem).toBeUndefined();
    expect(window?.timeline).toBe(1);
    const [from, to] = [microsOf(window?.from ?? ''), microsOf(window?.to ?? '')];
    expect(from).toBeGreaterThan(commitOf(1));
    expect(from).toBeLessThanOrEqual(commitOf(2));
    expect(to).toBeGreaterThanOrEqual(commitOf(6));
    // The very first moment can be reached, the one before it not.
    const { manifest } = await at(time(from ?? 0n));
    expect(manifest.rows['public.orders']).toBe(1);
    await expect(at(time((from ?? 0n) - 1n))).rejects.toThrow('before the end of the oldest base backup');
  });

  it.each([
    ['the moment of a commit', () => commitOf(3), 3],
    ['a microsecond before it', () => commitOf(3) - 1n, 2],
    ['the last one before the damage', () => commitOf(5), 5],
  ])('lands exactly: %s', async (_what, moment, rows) => {
    const before = await live();
    const backup = await at(time(moment()));
    const { manifest } = backup;
    expect(manifest.rows).toEqual({ 'public.orders': rows });
    expect(manifest.takenAt).toBe(momentOf(moment()));
    expect(manifest.source).toMatchObject({
      kind: 'point-in-time',
      target: { kind: 'time', time: momentOf(moment()) },
      reached: { lastTransactionAt: momentOf(commitOf(rows)) },
      timeline: 1,
      promoted: false,
    });
    expect(await live()).toEqual(before);
    expect(await left()).toEqual([]);
  });

  it('comes to a restore point, takes writes there without archiving any, and is restored as any other backup', async () => {
    const logs = await readdir(folder('wal'));
    const backup = await at({ kind: 'restore-point', name: 'before "the" release' }, storeOf(), true);
    expect(backup.manifest.source).toMatchObject({
      promoted: true,
      reached: { said: expect.stringContaining('"the"') },
    });
    expect(backup.manifest.rows).toEqual({ 'public.orders': 4 });
    expect(await readdir(folder('wal'))).toEqual(logs);
    expect(await left()).toEqual([]);
    const store = storeOf();
    expect((await store.find('latest')).manifest).toEqual(backup.manifest);
    await store.restoreBeside(backup, 'r1');
    await store.swap('r1');
    expect(await server.run('shop', 'SELECT max(id) AS id FROM orders')).toEqual([{ id: 4 }]);
    await store.undoSwap('r1');
    expect(await server.run('shop', 'SELECT max(id) AS id FROM orders')).toEqual([{ id: 6 }]);
    await store.finalize('r1');
  });

  it.each<[string, () => RecoveryTarget | Promise<RecoveryTarget>, string]>([
    ['before the base backup ended', () => time(commitOf(1)), 'it lies before the end of the oldest base backup'],
    [
      'after the end of the log',
      async () => time((await end()) + 3_600_000_000n),
      'the log that was archived ends before it',
    ],
    ['when its last transaction was', async () => time(await end()), 'the log that was archived ends before it'],
    [
      'a name that nobody gave',
      () => ({ kind: 'restore-point', name: 'before' }),
      'the log knows no such name; it knows before "the" release, twice',
    ],
    ['a name that was given twice', () => ({ kind: 'restore-point', name: 'twice' }), 'the log has 2 of that name'],
  ])('refuses what cannot be reached, and says what can: %s', async (_what, target, why) => {
    const before = await live();
    const refusal = await at(await target()).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'RECOVERY_REFUSED' });
    expect(String(refusal)).toContain(why);
    expect(String(refusal)).toMatch(/Possible: from \S+ to \S+ \(/);
    expect(await live()).toEqual(before);
    expect(await left()).toEqual([]);
  });

  it('refuses a time that is another moment elsewhere', async () => {
    await expect(at({ kind: 'time', time: '2026-01-31 12:00:00' })).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('sees a file of the log that is missing, before anything is copied', async () => {
    await server.run('shop', 'SELECT txid_current()');
    await archived();
    const gone = lastOfStory;
    const away = join(folder('wal'), `${gone}.away`);
    await rename(join(folder('wal'), gone), away);
    try {
      const refusal = await at(time(commitOf(6))).catch((error: unknown) => error);
      expect(String(refusal)).toContain(`${gone} is missing`);
      expect(refusal).toMatchObject({ code: 'RECOVERY_REFUSED' });
      expect(String(refusal)).toContain('Possible: from');
      expect((await storeOf().windows?.())?.[0]).toMatchObject({ missing: gone });
    } finally {
      await rename(away, join(folder('wal'), gone));
    }
    expect((await at(time(commitOf(6)))).manifest.rows).toEqual({ 'public.orders': 1 });
  });

  it('takes neither a base backup nor a log of another cluster', async () => {
    const other = await startTestPostgres();
    try {
      const [row] = await other.run('postgres', 'SELECT system_identifier::text AS id FROM pg_control_system()');
      const foreign = postgresStore({
        stack: 'shop',
        setting: {
          name: 'other',
          kind: 'postgres',
          connection: other.connection('postgres'),
          tables: [],
          writers: [],
          archive: {
            base: { kind: 'folder', folder: folder('base') },
            wal: { kind: 'folder', folder: folder('wal') },
            scratch: folder('scratch'),
          },
        },
        access: async () => ({ connection: other.connection('postgres'), password: other.password }),
        root: folder('backups'),
        clock: createSystemClock(),
        env: process.env,
      });
      const refusal = await at(time(commitOf(3)), foreign).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'RECOVERY_REFUSED' });
      expect(String(refusal)).toContain(`it is of another cluster`);
      expect(String(refusal)).toContain(String(row?.['id']));
    } finally {
      await other.stop();
    }
  });

  it('compares a base backup with its list before it is used', async () => {
    await cp(folder('base'), folder('spoilt'), { recursive: true });
    const [name = ''] = await readdir(folder('spoilt'));
    const file = join(folder('spoilt'), name, 'base', '1', '1259');
    const handle = await open(file, 'r+');
    await handle.write(Buffer.from('rot'), 0, 3, 100);
    await handle.close();
    const spoilt = storeOf({ base: { kind: 'folder', folder: folder('spoilt') } });
    await expect(at(time(commitOf(3)), spoilt)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    await rm(file);
    await expect(at(time(commitOf(3)), spoilt)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    expect(await left()).toEqual([]);
  });

  it('copies nothing where there is no room for it', async () => {
    await cp(folder('base'), folder('huge'), { recursive: true });
    const [name = ''] = await readdir(folder('huge'));
    const list = join(folder('huge'), name, 'backup_manifest');
    const bytes = 2 ** 50;
    await writeFile(list, (await readFile(list, 'utf8')).replace(/"Size": \d+/, `"Size": ${bytes}`));
    const huge = storeOf({ base: { kind: 'folder', folder: folder('huge') } });
    const refusal = await at(time(commitOf(3)), huge).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'STORE_REFUSED', details: { free: expect.any(Number) } });
    expect(await left()).toEqual([]);
  });

  it('fetches from an archive by the programs that the stack names', async () => {
    const [name = ''] = await readdir(folder('base'));
    const fetched = storeOf({
      base: { kind: 'command', command: ['cp', '-r', `${folder('base')}/${name}/.`, '%d'] },
      wal: { kind: 'command', command: ['cp', `${folder('wal')}/%f`, '%p'] },
    });
    expect((await at(time(commitOf(4)), fetched)).manifest.rows).toEqual({ 'public.orders': 4 });
    await expect(at(time(commitOf(1)), fetched)).rejects.toMatchObject({ code: 'RECOVERY_REFUSED' });
    // Nobody can know before: the server itself says that it did not come there.
    const beyond = await at({ kind: 'restore-point', name: 'nowhere' }, fetched).catch((error: unknown) => error);
    expect(beyond).toMatchObject({ code: 'RECOVERY_FAILED' });
    expect(String(beyond)).toContain('recovery ended before configured recovery target was reached');
    expect(await left()).toEqual([]);
  });

  it('leaves nothing behind when it is stopped', async () => {
    const stop = new AbortController();
    const store = storeOf();
    const working = store.backupAt?.(time(commitOf(3)), { signal: stop.signal });
    working?.catch(() => undefined);
    while ((await left()).length < 2) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await expect(working).rejects.toMatchObject({ name: 'AbortError' });
    expect(await left()).toEqual([]);
    const unfinished = (await store.backups()).filter((one) => 'damaged' in one);
    expect(unfinished).toEqual([]);
  });

  it('cleans up after a process that was killed in the middle', async () => {
    const program = `
      import { postgresStore } from './test/support/postgres-store.ts';
      import { createSystemClock } from './src/adapters/system/index.ts';
      const { connection, password, archive, root, time } = JSON.parse(process.env.CASE);
      await postgresStore({
        stack: 'shop', root, clock: createSystemClock(), env: process.env,
        setting: { name: 'main', kind: 'postgres', connection, tables: [], writers: [], archive },
        access: async () => ({ connection, password }),
      }).backupAt({ kind: 'time', time });`;
    const { setting } = storeOf();
    const archive = 'archive' in setting ? setting.archive : undefined;
    const given = {
      connection: server.connection('shop'),
      password: server.password,
      archive,
      root: folder('backups'),
      time: momentOf(commitOf(3)),
    };
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
      env: { ...process.env, CASE: JSON.stringify(given) },
      stdio: 'ignore',
    });
    const gone = new Promise((resolve) => child.once('exit', resolve));
    while ((await left()).length < 2 && child.exitCode === null) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGKILL');
    await gone;
    expect(await readdir(folder('scratch'))).toHaveLength(1);
    expect((await at(time(commitOf(3)))).manifest.rows).toEqual({ 'public.orders': 3 });
    expect(await left()).toEqual([]);
  });

  it('never tells the password', async () => {
    const told = await at(time(commitOf(1))).catch((error: unknown) => [error, String(error)]);
    expect(JSON.stringify(told)).not.toContain(server.password);
    const written = (await readdir(folder('backups'), { recursive: true })).filter((name) => name.endsWith('.json'));
    expect(written).not.toEqual([]);
    for (const name of written)
      expect(await readFile(join(folder('backups'), name), 'utf8')).not.toContain(server.password);
  });
});
