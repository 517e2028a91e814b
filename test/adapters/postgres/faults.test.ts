import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from 'pg';
import { postgresStore } from '../../support/postgres-store.ts';
import { findClientTools } from '../../../src/adapters/postgres/store/tools.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { Backup, PostgresConnection } from '../../../src/model/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { cuttingProxy } from '../../support/cutting-proxy.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

const run = promisify(execFile);
const IN_CHILD = fileURLToPath(new URL('../../support/restore-in-child.ts', import.meta.url));
/** More than one segment of the write-ahead log, so that a limit on the size of files meets the table and not the log. */
const ROWS = 19_500;

/** Whatever breaks in the middle: the live data is byte for byte what it was, nothing half stays in its way, and it is told. */
describe('a restore in which something breaks', () => {
  let server: TestPostgres;
  let root: string;
  let store: DataStore;
  let backup: Backup;
  let number = 0;

  const storeOf = (connection: PostgresConnection, env: NodeJS.ProcessEnv = process.env): DataStore =>
    postgresStore({
      stack: 'shop',
      setting: { name: 'main', kind: 'postgres', connection, tables: [], writers: [] },
      access: async () => ({ connection, password: server.password }),
      root,
      clock: createSystemClock(),
      env,
    });
  const nextRun = (): string => `20260101-1200${String((number += 1)).padStart(2, '0')}-abcdef`;
  const beside = async (): Promise<readonly string[]> =>
    (await server.run('postgres', `SELECT datname FROM pg_database WHERE datname LIKE 'app\\_\\_%'`)).map(
      ({ datname }) => String(datname),
    );
  /** All of the live database as text; what pg_dump makes up anew each time is left out. */
  const dumped = async (): Promise<string> => {
    const { bin } = await findClientTools(15, process.env);
    const { host = '', user = '' } = server.connection('app');
    const { stdout } = await run(join(bin, 'pg_dump'), ['-h', host, '-p', String(server.port), '-U', user, 'app'], {
      env: { PATH: process.env['PATH'], PGPASSWORD: server.password },
      maxBuffer: 256 * 1024 * 1024,
    });
    return stdout.replaceAll(/^\\(?:un)?restrict .*$/gm, '');
  };
  const limitFiles = (bytes: number | 'unlimited'): void => {
    // As whoever the server runs as: root itself may not, where it has been given fewer rights than usual.
    const { uid, gid } = statSync(`/proc/${server.pid}`);
    execFileSync('prlimit', [`--pid=${server.pid}`, `--fsize=${bytes}:unlimited`], { uid, gid });
  };
  /** Resolves once the tool restores beside: the moment in which a thing can break. Fails when that is over already. */
  const whileRestoring = async (restoring: Promise<unknown>): Promise<number> => {
    let isOver = false;
    void restoring.then(() => (isOver = true));
    for (;;) {
      if (isOver) throw new TypeError('the restore ended before anything could break');
      const rows = await server.run(
        'postgres',
        `SELECT pid FROM pg_stat_activity WHERE datname LIKE 'app\\_\\_%' AND query LIKE 'COPY %' AND state = 'active'`,
      );
      if (rows[0] !== undefined) return Number(rows[0]['pid']);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };

  beforeAll(async () => {
    server = await startTestPostgres(['-c', 'max_prepared_transactions=4']);
    root = await mkdtemp(join(tmpdir(), 'backstay-faults-'));
    await server.run('postgres', 'CREATE DATABASE app');
    await server.run(
      'app',
      // Half a second for each COPY: long enough to be met in its middle on any machine.
      `CREATE FUNCTION slowly(n int) RETURNS boolean LANGUAGE plpgsql AS
         $$ BEGIN IF n % 40 = 0 THEN PERFORM pg_sleep(0.001); END IF; RETURN true; END $$`,
      'CREATE TABLE pages (id int PRIMARY KEY CHECK (slowly(id)), text text NOT NULL)',
      'ALTER TABLE pages ALTER COLUMN text SET STORAGE EXTERNAL',
      `INSERT INTO pages SELECT n, string_agg(md5((n * 40 + m)::text), '') FROM generate_series(1, ${ROWS}) AS n,
         generate_series(1, 30) AS m GROUP BY n`,
    );
    store = storeOf(server.connection('app'));
    backup = await store.backup();
    await server.run('app', 'DELETE FROM pages WHERE id % 100 = 0');
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });

  /** Awaited later, and never unhandled meanwhile. */
  const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
    await work.then(
      () => 'it came to its end',
      (error: unknown) => error,
    );

  /** Fails as it says, with the live data as it was; and once the cause is gone the same run comes to its end. */
  const survives = async (breaks: (run: string) => Promise<void>): Promise<void> => {
    const before = await dumped();
    const id = nextRun();
    await breaks(id);
    expect(await dumped()).toBe(before);
    expect(await store.stateOf(id)).not.toBe('swapped');
    const restored = await store.restoreBeside(backup, id);
    expect(restored.rows).toEqual(backup.manifest.rows);
    await store.finalize(id);
    expect(await beside()).toEqual([]);
    expect(await dumped()).toBe(before);
  };

  it('for want of space where the database lies', async () => {
    await survives(async (id) => {
      limitFiles(17 * 1024 * 1024);
      try {
        await expect(store.restoreBeside(backup, id)).rejects.toMatchObject({
          code: 'STORE_FAILED',
          message: expect.stringMatching(/could not (extend|write)|File too large|space/),
        });
      } finally {
        limitFiles('unlimited');
      }
    });
  });

  it('because its tool was killed', async () => {
    await survives(async (id) => {
      const restoring = failureOf(store.restoreBeside(backup, id));
      await whileRestoring(restoring);
      execFileSync('pkill', ['-9', '-f', `pg_restore.*${id.replaceAll('-', '')}`]);
      expect(await restoring).toMatchObject({ code: 'STORE_FAILED' });
    });
  });

  it('because its session was ended by somebody', async () => {
    await survives(async (id) => {
      const restoring = failureOf(store.restoreBeside(backup, id));
      await server.run('postgres', `SELECT pg_terminate_backend(${await whileRestoring(restoring)})`);
      expect(await restoring).toMatchObject({ code: 'STORE_FAILED' });
    });
  });

  it('because the connection was cut', async () => {
    const proxy = await cuttingProxy(new URL(`tcp://127.0.0.1:${server.port}`));
    try {
      await survives(async (id) => {
        const through = storeOf({ ...server.connection('app'), port: proxy.port });
        const restoring = failureOf(through.restoreBeside(backup, id));
        await whileRestoring(restoring);
        proxy.cut();
        expect(await restoring).toMatchObject({
          code: expect.stringMatching(/^STORE_(FAILED|UNREACHABLE)$/),
        });
      });
    } finally {
      await proxy.close();
    }
  });

  it('because the server was killed', async () => {
    await survives(async (id) => {
      const restoring = failureOf(store.restoreBeside(backup, id));
      await whileRestoring(restoring);
      await server.kill();
      await server.restart();
      expect(await restoring).toMatchObject({
        code: expect.stringMatching(/^STORE_(FAILED|UNREACHABLE)$/),
      });
    });
  });

  it('because Backstay was killed and its tool went on: the orphan is ended before the next attempt', async () => {
    await survives(async (id) => {
      const child = spawn(process.execPath, [IN_CHILD, root, String(server.port), backup.manifest.id, id], {
        env: { ...process.env, RESTORE_PASSWORD: server.password },
        stdio: 'ignore',
      });
      const ended = once(child, 'exit');
      const orphan = await whileRestoring(ended);
      child.kill('SIGKILL');
      await ended;
      // Nobody has told the tool: it is still at work when the next attempt begins.
      await store.restoreBeside(backup, id);
      const left = await server.run('postgres', `SELECT pid FROM pg_stat_activity WHERE pid = ${orphan}`);
      expect(left).toEqual([]);
    });
  });

  it('never began: a prepared transaction is told before anything is paused', async () => {
    await server.run('app', 'BEGIN', `UPDATE pages SET text = 'x' WHERE id = 1`, `PREPARE TRANSACTION 'half-done'`);
    try {
      expect(await store.obstacles(backup)).toEqual([expect.stringContaining('half-done')]);
    } finally {
      await server.run('app', `ROLLBACK PREPARED 'half-done'`);
    }
    expect(await store.obstacles(backup)).toEqual([]);
  });

  it('never began: tools that are older than the server are told, and what would do', async () => {
    const bin = join(root, 'old-tools');
    await mkdir(bin);
    for (const tool of ['pg_dump', 'pg_restore', 'psql']) {
      await writeFile(join(bin, tool), `#!/bin/sh\necho "${tool} (PostgreSQL) 9.6.1"\n`);
      await chmod(join(bin, tool), 0o755);
    }
    const withOld = storeOf(server.connection('app'), { ...process.env, BACKSTAY_PG_BIN: bin });
    await expect(withOld.backup()).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      message: expect.stringContaining('9.6'),
    });
    expect(await store.backups()).toHaveLength(1);
  });

  it('leaves no backup for want of space where backups lie', async () => {
    const { bin } = await findClientTools(15, process.env);
    const limited = join(root, 'limited-tools');
    await mkdir(limited);
    for (const tool of ['pg_dump', 'pg_restore', 'psql']) {
      const limit = tool === 'pg_dump' ? 'ulimit -f 2000; ' : '';
      await writeFile(join(limited, tool), `#!/bin/sh\n${limit}exec ${join(bin, tool)} "$@"\n`);
      await chmod(join(limited, tool), 0o755);
    }
    const before = await dumped();
    const short = storeOf(server.connection('app'), { ...process.env, BACKSTAY_PG_BIN: limited });
    await expect(short.backup()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await store.backups()).toMatchObject([{ manifest: { id: backup.manifest.id } }]);
    expect(await dumped()).toBe(before);
  });

  it('takes the place of a transaction that has been open for long, which is rolled back', async () => {
    const id = nextRun();
    const slow = new Client({ ...server.connection('app'), ssl: false, password: server.password });
    slow.on('error', () => undefined);
    await slow.connect();
    await slow.query('BEGIN');
    await slow.query(`UPDATE pages SET text = 'never committed' WHERE id = 1`);
    const before = await dumped();
    await store.restoreBeside(backup, id);
    await store.swap(id);
    await expect(slow.query('COMMIT')).rejects.toThrow(/terminat|closed|not queryable/i);
    await store.undoSwap(id);
    await store.finalize(id);
    expect(await dumped()).toBe(before);
  });
});
