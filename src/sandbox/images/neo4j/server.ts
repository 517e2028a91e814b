import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findNeo4j } from '../../../toolchain/neo4j.ts';
import type { Env } from '../kit/service.ts';
import { authOf, layoutOf } from './settings.ts';

export interface Neo4jProcess {
  readonly version: string;
  readonly pid: number;
  /** Resolves with the exit code; a signal counts as 128. */
  readonly exited: Promise<number>;
  /** Everything is written, and then it ends. */
  stop(): Promise<void>;
}

/**
 * Starts the Neo4j Community of this machine, or the one that is fetched, as the neo4j image would: `NEO4J_AUTH` sets the
 * password of a data folder that has none yet, other `NEO4J_` variables are settings. It stays the user of the sandbox: its
 * programs lie where others need not reach.
 */
export async function startNeo4j(env: Env, log: (line: string) => void): Promise<Neo4jProcess> {
  const auth = authOf(env);
  const { home, data, settings } = layoutOf(env);
  const tools = await findNeo4j({ env, onProgress: ({ message }) => log(message) });
  const conf = join(home, 'conf');
  mkdirSync(conf, { recursive: true, mode: 0o700 });
  mkdirSync(data, { recursive: true });
  const all = { ...settings, 'dbms.security.auth_enabled': String(auth !== undefined) };
  const lines = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  writeFileSync(join(conf, 'neo4j.conf'), `${lines.join('\n')}\n`);
  // Nothing else of the pod's environment reaches it, the password least of all: /proc shows it to others.
  const child = { PATH: env['PATH'], JAVA_HOME: env['JAVA_HOME'], HOME: home, NEO4J_HOME: home, NEO4J_CONF: conf };
  if (auth !== undefined && !existsSync(join(data, 'databases', 'system')))
    setPassword(tools.admin, child, home, auth.password);
  const server = launch(tools.console, child, home);
  const exited = new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => resolve(code ?? 128));
  });
  return {
    version: tools.version,
    pid: server.pid ?? -1,
    exited,
    async stop() {
      if (server.exitCode === null && server.signalCode === null) server.kill('SIGTERM');
      await exited;
    },
  };
}

/** Through a file, for everybody can read arguments. */
function setPassword(admin: readonly string[], env: NodeJS.ProcessEnv, home: string, password: string): void {
  const file = join(home, 'password');
  // Quoted: the tool takes such a file apart into words.
  writeFileSync(file, `"${password.replaceAll(/["\\]/g, '\\$&')}"`, { mode: 0o600 });
  const [program = '', ...first] = admin;
  const { status, stderr } = spawnSync(program, [...first, 'dbms', 'set-initial-password', `@${file}`], {
    env,
    encoding: 'utf8',
    timeout: 60_000,
  });
  rmSync(file);
  if (status !== 0) throw new Error(`the password could not be set: ${stderr.trim()}`);
}

/** With setpriv, where it can do that, the server ends also when this process is killed and can no longer end it. */
function launch(command: readonly string[], env: NodeJS.ProcessEnv, cwd: string): ChildProcess {
  const guard = ['setpriv', '--pdeathsig', 'TERM'];
  const isGuarded = spawnSync('setpriv', [...guard.slice(1), 'true'], { env, stdio: 'ignore' }).status === 0;
  const [program = '', ...args] = isGuarded ? [...guard, ...command] : command;
  return spawn(program, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] });
}
