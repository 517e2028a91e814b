import type { MigrationDatabase } from '../../../ports/index.ts';
import { type Access, connected } from './connection.ts';

/** What the sessions of migrations call themselves; a colon would make fences of it. */
const APPLICATION = 'backstay-migrate';
/** Milliseconds that an ended session may take to be gone. */
const GONE_MS = 10_000;

/** The server of a store, for its migrations. */
export function createMigrationDatabase(access: () => Promise<Access>): MigrationDatabase {
  const at = (where: { readonly database?: string } | undefined) =>
    where?.database === undefined ? {} : { database: where.database };
  return {
    address: async (where) => {
      const { connection, password } = await access();
      const { host, port, user, sslmode, sslrootcert, database } = connection;
      return {
        ...(host === undefined ? {} : { host }),
        ...(port === undefined ? {} : { port }),
        ...(user === undefined ? {} : { user }),
        ...(password === undefined ? {} : { password }),
        ...(sslmode === undefined ? {} : { sslmode }),
        ...(sslrootcert === undefined ? {} : { sslrootcert }),
        database: where?.database ?? database,
      };
    },
    transaction: async (where, work) =>
      await connected(
        { ...(await access()), application: APPLICATION },
        async (client) => {
          await client.query('BEGIN');
          try {
            const done = await work({
              query: async (statement, values) =>
                // Without values it may be several statements at once, and there is no type of the answer then.
                [await client.query<Record<string, unknown>>(statement, values && [...values])]
                  .flat()
                  .flatMap(({ rows }) => rows),
            });
            await client.query('COMMIT');
            return done;
          } catch (error) {
            await client.query('ROLLBACK').catch(() => undefined);
            throw error;
          }
        },
        at(where),
      ),
    endSessions: async (application, where) =>
      await connected(
        await access(),
        async (client) => {
          const { rows } = await client.query<{ gone: boolean }>(
            `SELECT pg_terminate_backend(pid, $2) AS gone FROM pg_stat_activity
              WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()`,
            [application, GONE_MS],
          );
          return rows.filter(({ gone }) => gone).length;
        },
        at(where),
      ),
  };
}
