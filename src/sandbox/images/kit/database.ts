import type { Pool, PoolClient, QueryResultRow } from 'pg';
import type { Env } from './service.ts';

export interface Queries {
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
}

export interface Database extends Queries {
  /** One transaction: all of it or, when `work` throws, nothing. */
  transaction<T>(work: (queries: Queries) => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

/**
 * A small pool that connects when it is first asked, so that a service starts while its database is still away.
 * `DATABASE_URL`, or `PGHOST`, `PGUSER` and the like from the environment.
 */
export function openDatabase(env: Env): Database {
  let opening: Promise<Pool> | undefined;
  const pool = async (): Promise<Pool> => (opening ??= open(env));
  return {
    query: async (text, values = []) => (await (await pool()).query(text, [...values])).rows,
    async transaction(work) {
      const client = await (await pool()).connect();
      try {
        await client.query('BEGIN');
        const result = await work(queriesOf(client));
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch(() => undefined);
        throw error;
      } finally {
        client.release();
      }
    },
    async end() {
      await (await opening)?.end();
    },
  };
}

function queriesOf(client: PoolClient): Queries {
  return { query: async (text, values = []) => (await client.query(text, [...values])).rows };
}

async function open(env: Env): Promise<Pool> {
  const { default: pg } = await import('pg');
  const url = env['DATABASE_URL'];
  const where =
    url === undefined
      ? {
          host: env['PGHOST'] ?? 'postgres',
          port: Number(env['PGPORT'] ?? 5432),
          user: env['PGUSER'],
          password: env['PGPASSWORD'],
          database: env['PGDATABASE'],
        }
      : { connectionString: url };
  const pool = new pg.Pool({
    ...where,
    max: 3,
    connectionTimeoutMillis: 2000,
    query_timeout: 5000,
    idleTimeoutMillis: 60_000,
    application_name: env['HOSTNAME'] ?? 'medical-kg',
  });
  // A connection that dies while idle is replaced by the next query; without a listener it would end the process.
  pool.on('error', () => undefined);
  return pool;
}
