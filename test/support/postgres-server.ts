import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { PostgresConnection } from '../../src/model/index.ts';
import { type PostgresServer, startPostgres } from '../../src/sandbox/images/postgres/server.ts';
import { freePort } from '../../src/free-port.ts';

/** A real PostgreSQL of a test file's own, on loopback. */
export interface TestPostgres {
  readonly port: number;
  readonly password: string;
  readonly user: string;
  /** Process id of the postmaster that runs now. */
  readonly pid: number;
  /** What the server wrote to its log so far. */
  log(): Promise<string>;
  connection(database: string): PostgresConnection;
  /** One statement after another, each on its own, over a connection of their own. */
  run(database: string, ...statements: readonly string[]): Promise<readonly Record<string, unknown>[]>;
  /** SIGKILL for every process of it. Resolves when the postmaster is gone. */
  kill(): Promise<void>;
  /** After `kill`: the same data on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Into a file of its own, instead of between the lines of the test run. */
const LOG = ['logging_collector=on', 'log_filename=server.log', 'log_file_mode=0640'].flatMap((one) => ['-c', one]);

export interface TestPostgresOptions {
  /** Folder of its programs. @default the newest of this machine */
  readonly bin?: string;
  /** @default 'ada' */
  readonly user?: string;
  /** @default made up */
  readonly password?: string;
}

export async function startTestPostgres(
  args: readonly string[] = [],
  { bin, user = 'ada', password = randomBytes(12).toString('hex') }: TestPostgresOptions = {},
): Promise<TestPostgres> {
  const dir = await mkdtemp(join(tmpdir(), 'backstay-test-pg-'));
  const port = await freePort();
  const start = (): PostgresServer =>
    startPostgres(
      {
        PATH: process.env['PATH'] ?? '',
        PORT: String(port),
        POSTGRES_USER: user,
        POSTGRES_PASSWORD: password,
        PGDATA: join(dir, 'data'),
        ...(bin === undefined ? {} : { PG_BIN: bin }),
      },
      { args: [...LOG, ...args], log: () => undefined },
    );
  let server = start();
  const run: TestPostgres['run'] = async (database, ...statements) => {
    const client = new Client({ host: '127.0.0.1', port, user, password, database });
    client.on('error', () => undefined);
    await client.connect();
    try {
      let rows: Record<string, unknown>[] = [];
      for (const statement of statements) ({ rows } = await client.query<Record<string, unknown>>(statement));
      return rows;
    } finally {
      await client.end();
    }
  };
  await untilUp(async () => await run('postgres', 'SELECT 1'), server.exited);
  return {
    port,
    password,
    user,
    get pid() {
      return server.pid;
    },
    log: async () => {
      const [row] = await run('postgres', 'SHOW data_directory');
      return await readFile(join(String(row?.['data_directory']), 'log', 'server.log'), 'utf8');
    },
    run,
    connection: (database) => ({ host: '127.0.0.1', port, user, database, sslmode: 'disable' }),
    kill: async () => {
      // Sessions notice the end of their postmaster a little later, and may answer until then; nor may it start new ones.
      send(server.pid, 'SIGSTOP');
      const children = await readFile(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').catch(() => '');
      for (const pid of [server.pid, ...children.split(' ').map(Number).filter(Boolean)]) send(pid, 'SIGKILL');
      await server.exited;
    },
    restart: async () => {
      server = start();
      await untilUp(async () => await run('postgres', 'SELECT 1'), server.exited);
    },
    stop: async () => {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A server that starts answers within a second or says why it cannot: it is asked until then. */
async function untilUp(ask: () => Promise<unknown>, exited: Promise<number>): Promise<void> {
  let gone: number | undefined;
  void exited.then((code) => (gone = code));
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      if (gone !== undefined) throw new TypeError(`PostgreSQL ended with ${gone}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function send(pid: number, signal: 'SIGSTOP' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
