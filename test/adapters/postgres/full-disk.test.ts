import { execFile } from 'node:child_process';
import { chown, cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { findClientTools } from '../../../src/adapters/postgres/store/tools.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { ArchiveSetting } from '../../../src/model/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { accountFor } from '../../../src/sandbox/images/postgres/account.ts';
import { postgresStore } from '../../support/postgres-store.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';
import { CAN_MOUNT, type Owner, smallDisk, type SmallDisk } from '../../support/small-disk.ts';

const MIB = 2 ** 20;
const LIMIT = 120_000;

/**
 * On real file systems of a few MiB that are really full. Whose volume it is, and what to free there, the error says. Where none
 * may be mounted, the limits on the size of files in faults.test.ts stand for them.
 */
describe.runIf(CAN_MOUNT)('a PostgreSQL data store whose disk is full', { timeout: LIMIT }, () => {
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });

  const account: Owner | undefined = accountFor(process.getuid?.() ?? -1);
  const disk = async (mib: number, owner?: Owner): Promise<SmallDisk> => {
    const made = await smallDisk(mib * MIB, owner);
    ends.push(async () => await made.stop());
    return made;
  };
  const folder = async (name: string): Promise<string> => {
    const made = await mkdtemp(join(tmpdir(), `backstay-full-${name}-`));
    ends.push(async () => await rm(made, { recursive: true, force: true }));
    if (account !== undefined) await chown(made, account.uid, account.gid);
    return made;
  };
  const started = async (...how: Parameters<typeof startTestPostgres>): Promise<TestPostgres> => {
    const server = await startTestPostgres(...how);
    ends.push(async () => await server.stop());
    return server;
  };
  /** Rows that no compression makes smaller, about so many MiB of them. */
  const fill = async (server: TestPostgres, mib: number): Promise<void> => {
    await server.run('postgres', 'CREATE DATABASE app');
    await server.run(
      'app',
      'CREATE TABLE pages (id int PRIMARY KEY, text text NOT NULL)',
      'ALTER TABLE pages ALTER COLUMN text SET STORAGE EXTERNAL',
      `INSERT INTO pages SELECT n, string_agg(md5((n * 40 + m)::text), '') FROM generate_series(1, ${mib * 1000}) AS n,
         generate_series(1, 30) AS m GROUP BY n`,
    );
  };
  const storeOn = (server: TestPostgres, root: string, archive?: ArchiveSetting): DataStore =>
    postgresStore({
      stack: 'shop',
      setting: {
        name: 'main',
        kind: 'postgres',
        connection: server.connection('app'),
        tables: [],
        writers: [],
        ...(archive === undefined ? {} : { archive }),
      },
      access: async () => ({ connection: server.connection('app'), password: server.password }),
      root,
      clock: createSystemClock(),
      env: process.env,
    });
  /** All of the live database as text; what pg_dump makes up anew each time is left out. */
  const dumped = async (server: TestPostgres): Promise<string> => {
    const { bin } = await findClientTools(15, process.env);
    const { host = '', user = '' } = server.connection('app');
    const args = ['-h', host, '-p', String(server.port), '-U', user, 'app'];
    const env = { PATH: process.env['PATH'], PGPASSWORD: server.password };
    const { stdout } = await promisify(execFile)(join(bin, 'pg_dump'), args, { env, maxBuffer: 256 * MIB });
    return stdout.replaceAll(/^\\(?:un)?restrict .*$/gm, '');
  };
  const full = (where: string) => ({
    code: 'VOLUME_FULL',
    message: expect.stringContaining(where),
    next: expect.stringMatching(/^Make room .*The live (data|server) is as it was\.$/),
  });

  it('where backups go: none is left there, and the live data is as it was', async () => {
    const server = await started();
    await fill(server, 8);
    const small = await disk(4);
    const room = await small.free();
    const store = storeOn(server, join(small.folder, 'backups'));
    const before = await dumped(server);
    await expect(store.backup()).rejects.toMatchObject(full(`${small.folder}/backups`));
    await expect(store.backup()).rejects.toMatchObject({ message: expect.stringContaining('of 4 MiB free') });
    expect(await store.backups()).toEqual([]);
    expect(await small.free()).toBeGreaterThan(room - MIB / 4);
    expect(await dumped(server)).toBe(before);
  });

  it('where the database lies: nothing stays of what was restored beside, and with room the same run goes on', async () => {
    const small = await disk(96, account);
    const server = await started();
    await fill(server, 12);
    const data = await databasesOn(small, server);
    const store = storeOn(server, await folder('backups'));
    const backup = await store.backup();
    await server.run('app', 'DELETE FROM pages WHERE id % 100 = 0', 'CHECKPOINT');
    const before = await dumped(server);
    // Room for an empty database, and not for its rows.
    const clear = await small.fill(12 * MIB);
    const failed: unknown = await store.restoreBeside(backup, 'r1').catch((error: unknown) => error);
    expect(failed).toMatchObject(full(data));
    expect((failed as { next: string }).next).toMatch(/a restore beside needs about \d+ MB more/);
    expect(await store.stateOf('r1')).toBe('nothing');
    expect(await dumped(server)).toBe(before);
    await clear();
    expect((await store.restoreBeside(backup, 'r1')).rows).toEqual(backup.manifest.rows);
    // What that run keeps is the first that could go when there is no room for another.
    const again = await small.fill(12 * MIB);
    await expect(store.restoreBeside(backup, 'r2')).rejects.toMatchObject({
      next: expect.stringMatching(/app__bs_r1 \(\d+ MB\).*backstay db finalize RUN/),
    });
    await again();
    await store.finalize('r1');
    expect(await dumped(server)).toBe(before);
  });

  it('where a copy of the server is recovered: told before it is made where that is known, and while it is made', async () => {
    const [wal, base] = [await folder('wal'), await folder('base')];
    const server = await started([
      '-c',
      'archive_mode=on',
      '-c',
      `archive_command=cp %p ${wal}/%f`,
      '-c',
      'track_commit_timestamp=on',
    ]);
    await fill(server, 1);
    const backups = await folder('backups');
    const small = await disk(24, account);
    const archive = {
      base: { kind: 'folder', folder: base },
      wal: { kind: 'folder', folder: wal },
      scratch: small.folder,
    } as const satisfies ArchiveSetting;
    await storeOn(server, backups, archive).takeBase?.();
    await server.run('app', 'DELETE FROM pages WHERE id < 100', `SELECT pg_create_restore_point('here')`);
    await server.run('app', 'INSERT INTO pages VALUES (1, $$x$$)', 'SELECT pg_switch_wal()');
    await expect.poll(async () => (await readdir(wal)).length, { timeout: 60_000 }).toBeGreaterThan(2);
    const before = await dumped(server);
    const point = { kind: 'restore-point', name: 'here' } as const;

    const known = storeOn(server, backups, archive);
    await expect(known.backupAt?.(point)).rejects.toMatchObject({
      code: 'STORE_REFUSED',
      message: expect.stringMatching(/needs \d+ MiB in .*; 2\d MiB are free there/),
    });
    // A program that fetches the copy says nothing of its size beforehand.
    const copy = join(await folder('copies'), 'copy');
    const [name = ''] = await readdir(base);
    await cp(join(base, name), copy, { recursive: true });
    const fetched = storeOn(server, backups, {
      ...archive,
      base: { kind: 'command', command: ['/bin/cp', '-a', `${copy}/.`, '%d'] },
    });
    await expect(fetched.backupAt?.(point)).rejects.toMatchObject(full(small.folder));
    expect(await readdir(small.folder)).toEqual([]);
    expect(await known.backups()).toEqual([]);
    expect(await dumped(server)).toBe(before);
  });

  /**
   * Moves the databases themselves onto a small disk. The log stays, as on servers that mean it: one whose log is full ends
   * before it can say so.
   */
  async function databasesOn(small: SmallDisk, server: TestPostgres): Promise<string> {
    const [row] = await server.run('postgres', 'SHOW data_directory');
    const data = String(row?.['data_directory']);
    const [here, there] = [join(data, 'base'), join(small.folder, 'base')];
    await server.kill();
    await cp(here, there, { recursive: true });
    if (account !== undefined)
      for (const one of ['', ...(await readdir(there, { recursive: true }))])
        await chown(join(there, one), account.uid, account.gid);
    await rm(here, { recursive: true });
    await symlink(there, here);
    await server.restart();
    return data;
  }
});
