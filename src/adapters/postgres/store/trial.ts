import type { Client } from 'pg';
import { type Access, connected, identifier } from './connection.ts';
import { MAINTENANCE } from './fence.ts';
import { besideName, TRIAL } from './names.ts';
import { dropWhole } from './restore.ts';
import { dropSchema, schemaOf } from './tables-beside.ts';

/** First half of our advisory locks on trials; the second is of the database's name. */
const LOCK_CLASS = 0x6273;

/**
 * A restore that is made to be dropped again. While it works a lock on its name is held, which the server lets go when this
 * process dies: whoever comes next finds what nobody holds, and drops it.
 */
export async function inTrial<T>(access: Access, run: string, work: () => Promise<T>): Promise<T> {
  const name = besideName(access.connection.database, run);
  const at = { database: MAINTENANCE };
  return await connected(
    access,
    async (client) => {
      await client.query('SET idle_session_timeout = 0').catch(() => undefined);
      await dropAbandoned(client, DATABASES);
      await client.query('SELECT pg_advisory_lock($1, hashtext($2))', [LOCK_CLASS, name]);
      try {
        return await work();
      } finally {
        // Over a connection of its own: this one may have been cut in the meantime.
        await connected(access, async (other) => await dropWhole(other, name), at);
      }
    },
    at,
  );
}

/** The same for single tables, which are tried in a schema of the live database. */
export async function inTablesTrial<T>(access: Access, run: string, work: () => Promise<T>): Promise<T> {
  const name = schemaOf(access, run);
  return await connected(access, async (client) => {
    await dropAbandoned(client, SCHEMAS);
    await client.query('SELECT pg_advisory_lock($1, hashtext($2))', [LOCK_CLASS, name]);
    try {
      return await work();
    } finally {
      await dropSchema(access, run);
    }
  });
}

interface Kind {
  /** Names of that kind like `$1`, as far as we may drop them. */
  readonly list: string;
  readonly drop: (client: Client, name: string) => Promise<unknown>;
}

const DATABASES: Kind = {
  list: `SELECT datname AS name FROM pg_database WHERE datname LIKE $1 AND pg_has_role(datdba, 'USAGE')`,
  drop: dropWhole,
};

const SCHEMAS: Kind = {
  list: `SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE $1 AND pg_has_role(nspowner, 'USAGE')`,
  drop: async (client, name) => await client.query(`DROP SCHEMA IF EXISTS ${identifier(name)} CASCADE`),
};

async function dropAbandoned(client: Client, { list, drop }: Kind): Promise<void> {
  const { rows } = await client.query<{ name: string }>(list, [`%${TRIAL.replaceAll('_', '\\_')}%`]);
  for (const { name } of rows) {
    const { rows: tried } = await client.query<{ free: boolean }>(
      'SELECT pg_try_advisory_lock($1, hashtext($2)) AS free',
      [LOCK_CLASS, name],
    );
    if (tried[0]?.free !== true) continue;
    await drop(client, name);
    await client.query('SELECT pg_advisory_unlock($1, hashtext($2))', [LOCK_CLASS, name]);
  }
}
