import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { POD_ENV } from '../../src/sandbox/contract.ts';
import { type PostgresServer, startPostgres } from '../../src/sandbox/images/postgres/server.ts';

/** A real PostgreSQL of this machine for one test file, with as many empty databases as its tests ask for. */
export interface TestPostgres {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** URL of a new, empty database. */
  database(): Promise<string>;
  urlOf(database: string): string;
  /** Runs statements as a person with psql would. */
  query(url: string, text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** SIGKILL for the postmaster; every session ends at once. Resolves when it is gone. */
  kill(): Promise<void>;
  /** After `kill`: the same data on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const USER = 'postgres';
const PASSWORD = 'pässword/with:special@characters';

export async function testPostgres(): Promise<TestPostgres> {
  const dir = await mkdtemp(join(tmpdir(), 'backstay-test-postgres-'));
  const port = await freePort();
  const host = '127.0.0.1';
  const launch = async (): Promise<PostgresServer> => {
    const env = {
      PATH: process.env['PATH'],
      POSTGRES_USER: USER,
      POSTGRES_PASSWORD: PASSWORD,
      PGDATA: join(dir, 'data'),
      PORT: String(port),
      [POD_ENV.address]: host,
    };
    const server = startPostgres(env, { args: ['-c', 'log_min_messages=panic'], log: () => undefined });
    await accepting(urlOf('postgres'));
    return server;
  };
  const urlOf = (database: string): string =>
    `postgres://${USER}:${encodeURIComponent(PASSWORD)}@${host}:${port}/${database}`;
  const query: TestPostgres['query'] = async (url, text, values = []) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text, [...values])).rows;
    } finally {
      await client.end();
    }
  };
  let server = await launch();
  let count = 0;
  return {
    host,
    port,
    user: USER,
    password: PASSWORD,
    urlOf,
    query,
    database: async () => {
      const name = `journal_${(count += 1)}`;
      await query(urlOf('postgres'), `CREATE DATABASE ${name}`);
      return urlOf(name);
    },
    kill: async () => {
      // Sessions notice the end of their postmaster a little later, and may answer until then.
      const children = await readFile(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').catch(() => '');
      process.kill(server.pid, 'SIGKILL');
      for (const pid of children.split(' ').map(Number).filter(Boolean)) end(pid);
      await server.exited;
    },
    restart: async () => {
      server = await launch();
    },
    stop: async () => {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The server says nothing of itself when it is ready; it is asked. */
async function accepting(url: string): Promise<void> {
  for (const deadline = Date.now() + 30_000; ; ) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
