import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lstatSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findRedis, type RedisTools } from '../../../toolchain/redis.ts';
import { POD_ENV } from '../../contract.ts';
import type { Env } from '../kit/service.ts';
import { type Account, accountFor, canReach } from '../postgres/account.ts';
import { placeData } from '../postgres/place.ts';

export interface RedisServer {
  readonly version: string;
  readonly pid: number;
  /** Resolves with the exit code; a signal counts as 128. */
  readonly exited: Promise<number>;
  /** Saves what it is told to keep, and ends. */
  stop(): Promise<void>;
}

/**
 * Starts a Redis of this machine (fetched once where there is none) as the image would: `REDIS_PASSWORD`,
 * `REDIS_AOF_ENABLED` (`yes` unless it says `no`), `PORT`; data in the pod's own folder. Never as root. Its settings go
 * in by its standard input: arguments and environment of a process are seen by others.
 * Throws when there is no password.
 */
export async function startRedis(
  env: Env,
  log: (line: string) => void = (line) => void process.stdout.write(`${line}\n`),
): Promise<RedisServer> {
  const password = env['REDIS_PASSWORD'];
  if (password === undefined || password === '')
    throw new Error('REDIS_PASSWORD is not set; a Redis without a password is not started');
  const tools = await findRedis({ env, onProgress: ({ message }) => log(message) });
  const tag = env[POD_ENV.imageTag];
  if (tag !== undefined && !tag.startsWith(tools.version.split('.')[0] ?? ''))
    log(`redis:${tag} is served by Redis ${tools.version}`);
  const account = accountFor(process.getuid?.() ?? -1);
  const wanted = env['REDIS_DATA_DIR'] ?? join(env[POD_ENV.data] ?? join(tmpdir(), 'backstay-redis-data'), 'redis');
  const dir = placeData(wanted, account);
  const program = placeProgram(tools, account);
  const settings = {
    bind: env[POD_ENV.address] ?? '127.0.0.1',
    port: env['PORT'] ?? '6379',
    dir: quoted(dir),
    appendonly: env['REDIS_AOF_ENABLED'] === 'no' ? 'no' : 'yes',
    // The sandbox is for looking at what happens, not for many replicas that start at once.
    'repl-diskless-sync-delay': '0',
    loglevel: 'notice',
    requirepass: quoted(password),
  };
  const guard = ['--pdeathsig', 'TERM'];
  const bare = { PATH: env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' };
  // Where setpriv can do that, it ends also when this process is killed and can no longer end it.
  const isGuarded = spawnSync('setpriv', [...guard, 'true'], { env: bare, stdio: 'ignore' }).status === 0;
  const command = isGuarded ? ['setpriv', ...guard, program, '-'] : [program, '-'];
  const child = spawn(command[0] ?? '', command.slice(1), {
    ...account,
    cwd: dir,
    env: bare,
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(
    Object.entries(settings)
      .map(([name, value]) => `${name} ${value}\n`)
      .join(''),
  );
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 128));
  });
  return {
    version: tools.version,
    pid: child.pid ?? -1,
    exited,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}

/** As its configuration file takes it. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** The program, or a copy with its libraries where the account can reach it: the cache of root lies where nobody else can. */
function placeProgram({ server, version }: RedisTools, account: Account | undefined): string {
  if (account === undefined || canReach(server, account)) return server;
  const uid = process.getuid?.() ?? 0;
  const copy = join(tmpdir(), `backstay-redis-programs-${version}-${uid}`);
  const program = join(copy, 'bin', 'redis-server');
  if (existsSync(program) && lstatSync(copy).uid === uid) return program;
  const partial = mkdtempSync(join(tmpdir(), 'backstay-redis-programs-partial-'));
  cpSync(dirname(dirname(server)), partial, { recursive: true, verbatimSymlinks: true });
  chmodSync(partial, 0o755);
  try {
    renameSync(partial, copy);
  } catch {
    // Another pod was first.
    rmSync(partial, { recursive: true, force: true });
  }
  return program;
}
