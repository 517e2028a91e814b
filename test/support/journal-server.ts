import pg from 'pg';
import { startTestPostgres, type TestPostgres } from './postgres-server.ts';

/** A real PostgreSQL for journals, with as many empty databases as its tests ask for. */
export interface JournalServer extends Pick<TestPostgres, 'port' | 'password' | 'kill' | 'restart' | 'stop'> {
  readonly host: string;
  /** URL of a new, empty database. */
  database(): Promise<string>;
  urlOf(database: string): string;
  /** Runs statements as a person with psql would. */
  query(url: string, text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
}

/** All that a URL has to escape. */
const PASSWORD = 'pässword/with:special@characters';

export async function journalServer(): Promise<JournalServer> {
  const server = await startTestPostgres([], { user: 'postgres', password: PASSWORD });
  const urlOf = (database: string): string =>
    `postgres://${server.user}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server.port}/${database}`;
  let count = 0;
  return {
    host: '127.0.0.1',
    port: server.port,
    password: PASSWORD,
    kill: async () => await server.kill(),
    restart: async () => await server.restart(),
    stop: async () => await server.stop(),
    urlOf,
    query: async (url, text, values = []) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        return (await client.query<Record<string, unknown>>(text, [...values])).rows;
      } finally {
        await client.end();
      }
    },
    database: async () => {
      const name = `journal_${(count += 1)}`;
      await server.run('postgres', `CREATE DATABASE ${name}`);
      return urlOf(name);
    },
  };
}
