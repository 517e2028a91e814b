import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, RESP_TYPES } from '@redis/client';
import type { RedisTools } from '../../src/adapters/redis/index.ts';
import { findRedis } from '../../src/toolchain/redis.ts';
import { freePort } from '../../src/free-port.ts';

export type TestReply = string | number | null | readonly TestReply[];

/** A real Redis of a test's own, on loopback. */
export interface TestRedis {
  readonly port: number;
  readonly password: string;
  readonly tools: RedisTools;
  /** Where it keeps its files. */
  readonly dir: string;
  readonly pid: () => number;
  /** One command after another, over a connection of their own. Gives the last answer. */
  run(database: number, ...commands: readonly (readonly string[])[]): Promise<TestReply>;
  /** `kill -9`, and waits until it is gone. */
  kill(): Promise<void>;
  /** The same files and port; as it stands, or with other settings. */
  restart(settings?: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** `settings` are lines of its configuration file; the password among them, for arguments are seen by everybody. */
export async function startTestRedis(settings: readonly string[] = []): Promise<TestRedis> {
  const tools = await findRedis();
  const dir = await mkdtemp(join(tmpdir(), 'backstay-test-redis-'));
  const port = await freePort();
  const password = randomBytes(12).toString('hex');
  let lines = settings;
  let child: ChildProcess;
  const run: TestRedis['run'] = async (database, ...commands) => {
    const client = createClient({
      password,
      database,
      RESP: 2,
      name: 'test',
      socket: { host: '127.0.0.1', port, reconnectStrategy: false },
      commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: String } },
    });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const answers = await Promise.all(commands.map(async (command) => await client.sendCommand<TestReply>(command)));
      return answers.at(-1) ?? null;
    } finally {
      client.destroy();
    }
  };
  const launch = async (): Promise<void> => {
    child = spawn(tools.server, ['-'], { stdio: ['pipe', 'pipe', 'pipe'] });
    let words = '';
    child.stdout?.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-4_000)));
    // Otherwise it waits five seconds for more replicas before each backup.
    const base = ['bind 127.0.0.1', `port ${port}`, `dir ${dir}`, 'save ""', 'repl-diskless-sync-delay 0'];
    child.stdin?.end(`${[...base, `requirepass ${password}`, ...lines].join('\n')}\n`);
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null) throw new TypeError(`Redis ended: ${words}`);
      const isUp = await run(0, ['INFO', 'persistence']).then(
        (info) => /^loading:0/m.test(String(info)),
        () => false,
      );
      if (isUp) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  };
  await launch();
  return {
    port,
    password,
    tools,
    dir,
    pid: () => child.pid ?? -1,
    run,
    kill: async () => await end('SIGKILL'),
    restart: async (other = lines) => {
      await end('SIGTERM');
      lines = other;
      await launch();
    },
    stop: async () => {
      await end('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
  };
}
