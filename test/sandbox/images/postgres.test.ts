import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { accountFor, canReach } from '../../../src/sandbox/images/postgres/account.ts';
import { embeddedBinaries, findBinaries } from '../../../src/sandbox/images/postgres/binaries.ts';
import { placeBinaries, placeData } from '../../../src/sandbox/images/postgres/place.ts';
import { startPostgres } from '../../../src/sandbox/images/postgres/server.ts';
import { openDatabase, PASSWORD, startTestPostgres, temporaryFolder, type TestPostgres } from './support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Postmasters that serve a port, by what their command line says. */
function postmasters(port: string | undefined): readonly { readonly pid: number; readonly uid: number }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        if (!command.includes(`port=${port}`)) return [];
        const uid = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        return [{ pid: Number(pid), uid: Number(uid) }];
      } catch {
        return [];
      }
    });
}

/** The postmaster and all that it started: they all work in the data folder. */
function withFolderOf(postmaster: number): readonly number[] {
  const data = readlinkSync(`/proc/${postmaster}/cwd`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`) === data;
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function select(env: TestPostgres['env'], text: string): Promise<unknown> {
  const client = new pg.Client({
    host: env['PGHOST'],
    port: Number(env['PGPORT']),
    user: env['PGUSER'],
    password: env['PGPASSWORD'],
    database: env['PGDATABASE'],
  });
  try {
    await client.connect();
    return (await client.query(text)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

describe('the postgres image', () => {
  // Made once by the first test that runs; the others start on the same data.
  const data = join(folder.path, 'data');

  test('answers a query, never as root; keeps its data over a restart; leaves no process behind', async () => {
    const first = await startTestPostgres(data);
    expect(await select(first.env, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const running = postmasters(first.env['PGPORT']);
    expect(running.length).toBeGreaterThan(0);
    expect(running.filter(({ uid }) => uid === 0)).toEqual([]);
    await expect(select({ ...first.env, PGPASSWORD: 'wrong' }, 'SELECT 1')).rejects.toThrow(
      /password authentication failed/,
    );
    expect(
      await select(
        first.env,
        "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' AS scram FROM pg_authid WHERE rolname = 'medical_kg'",
      ),
    ).toEqual([{ scram: true }]);
    await select(first.env, 'CREATE TABLE kept AS SELECT 7 AS seven');
    await first.stop();
    expect(first.child.exitCode).toBe(0);
    expect(postmasters(first.env['PGPORT'])).toEqual([]);

    const second = await startTestPostgres(data);
    expect(await select(second.env, 'SELECT seven FROM kept')).toEqual([{ seven: 7 }]);
    const exited = once(second.child, 'exit');
    // Killed without a chance to tidy up: what was committed is there again.
    await select(second.env, 'INSERT INTO kept VALUES (8)');
    const [postmaster] = postmasters(second.env['PGPORT']);
    for (const pid of withFolderOf(postmaster?.pid ?? 0)) process.kill(pid, 'SIGKILL');
    expect((await exited)[0]).not.toBe(0);
    const third = await startTestPostgres(data);
    expect(await select(third.env, 'SELECT seven FROM kept ORDER BY 1')).toEqual([{ seven: 7 }, { seven: 8 }]);
    await third.stop();
  });

  test('runs on the binaries that npm brings, links made where they were not', async () => {
    const embedded = embeddedBinaries();
    expect(embedded?.version).toMatch(/^18\./);
    const server = await startTestPostgres(join(folder.path, 'embedded'), {
      PG_BIN: embedded?.bin ?? '',
      POSTGRES_DB: 'a "b" c',
    });
    const database = openDatabase({ ...server.env, PGDATABASE: 'a "b" c' });
    expect(await database.query('SELECT current_database() AS name')).toEqual([{ name: 'a "b" c' }]);
    await database.end();
    await server.stop();
  });

  test('ends also when its wrapper is killed, where the machine can do that', async () => {
    const canGuard = spawnSync('setpriv', ['--pdeathsig', 'INT', 'true'], { stdio: 'ignore' }).status === 0;
    const server = await startTestPostgres(data);
    const pids = postmasters(server.env['PGPORT']).map(({ pid }) => pid);
    server.child.kill('SIGKILL');
    if (!canGuard) for (const pid of pids) process.kill(pid, 'SIGINT');
    for (const pid of pids) await once(spawn('tail', [`--pid=${pid}`, '-f', '/dev/null']), 'exit');
    expect(postmasters(server.env['PGPORT'])).toEqual([]);
  });

  test('refuses to start without a password', () => {
    expect(() => startPostgres({ POSTGRES_USER: 'x' })).toThrow(/POSTGRES_PASSWORD is not set/);
  });

  test('never puts the password on a command line or into the environment of PostgreSQL', async () => {
    const server = await startTestPostgres(data);
    const said = postmasters(server.env['PGPORT']).map(
      ({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8'),
    );
    expect(said.length).toBeGreaterThan(0);
    expect(said.join()).not.toContain(PASSWORD);
    await server.stop();
  });
});

describe('who PostgreSQL runs as', () => {
  const passwd = 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\npostgres:x:101:104::/:/bin/sh\n';

  test.each([
    ['itself when it is not root', 1000, passwd, undefined],
    ['postgres when it is root', 0, passwd, { uid: 101, gid: 104 }],
    ['nobody where there is no postgres', 0, passwd.split('\n').slice(0, 2).join('\n'), { uid: 65_534, gid: 65_534 }],
    ['the usual number of nobody where there is no user list', 0, '', { uid: 65_534, gid: 65_534 }],
    ['nobody where postgres is root itself', 0, 'postgres:x:0:0::/:/bin/sh\n', { uid: 65_534, gid: 65_534 }],
  ])('is %s', (_title, uid, users, expected) => {
    expect(accountFor(uid, users)).toEqual(expected);
  });

  test('decides whether a folder of mode 0700 on the way can be passed', () => {
    const closed = join(folder.path, 'closed');
    mkdirSync(join(closed, 'inner'), { recursive: true, mode: 0o700 });
    expect(canReach(join(closed, 'inner'), { uid: 65_533, gid: 65_533 })).toBe(false);
    expect(canReach('/usr/bin/env', { uid: 65_533, gid: 65_533 })).toBe(true);
  });

  test('copies binaries out of a folder that the account cannot reach, with no link that leads back into it', () => {
    const closed = mkdtempSync(join(folder.path, 'closed-'));
    const [bin, lib] = [join(closed, 'native', 'bin'), join(closed, 'native', 'lib')];
    mkdirSync(bin, { recursive: true });
    mkdirSync(lib);
    writeFileSync(join(bin, 'postgres'), 'program');
    writeFileSync(join(lib, 'libx.so.1.2'), 'library');
    symlinkSync(join(lib, 'libx.so.1.2'), join(lib, 'libx.so.1'));
    symlinkSync('libx.so.1.2', join(lib, 'libx.so'));
    chmodSync(closed, 0o700);
    const account = { uid: 65_533, gid: 65_533 };
    const copied = placeBinaries({ bin, version: '99.9', source: 'embedded' }, account, folder.path);
    expect(copied.startsWith(closed)).toBe(false);
    for (const name of ['libx.so', 'libx.so.1']) {
      const link = join(dirname(copied), 'lib', name);
      expect(realpathSync(link)).toBe(realpathSync(join(dirname(copied), 'lib', 'libx.so.1.2')));
      expect(readFileSync(link, 'utf8')).toBe('library');
    }
  });
});

describe('where the data lies', () => {
  const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

  test('data that the account cannot reach lies elsewhere, is found again, and is removed with what it stood for', () => {
    const options = { temporary: join(folder.path, 'elsewhere'), reachable: () => false };
    mkdirSync(options.temporary);
    const wanted = join(folder.path, 'wanted');
    const placed = placeData(wanted, self, options);
    expect(placed.startsWith(options.temporary)).toBe(true);
    expect(placeData(wanted, self, options)).toBe(placed);
    rmSync(wanted, { recursive: true });
    const anew = placeData(wanted, self, options);
    expect(anew).not.toBe(placed);
    expect(existsSync(placed)).toBe(false);
  });

  test('data stays where it was asked for when the account can reach it', () => {
    const wanted = join(folder.path, 'reachable');
    expect(placeData(wanted, self, { reachable: () => true })).toBe(wanted);
  });
});

test('the wanted major version is taken where it is there, else what there is', () => {
  const all = findBinaries({ PATH: process.env['PATH'] }, undefined);
  expect(findBinaries({ PATH: process.env['PATH'] }, all?.version.split('.')[0])?.version).toBe(all?.version);
  expect(findBinaries({ PATH: process.env['PATH'] }, '8')?.version).toBe(all?.version);
  expect(findBinaries({ PG_BIN: '/nowhere' }, undefined)?.source).toBe('embedded');
});
