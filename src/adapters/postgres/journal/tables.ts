import type { Connection } from './connection.ts';

/** Whether a table is there, in a schema that need not be. */
export async function isTable(connection: Connection, schema: string, name: string): Promise<boolean> {
  // Not to_regclass: it answers from what this session remembers, also when another one has made the table meanwhile.
  const found = await connection.query(
    'SELECT 1 FROM pg_class WHERE relname = $2 AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)',
    [schema, name],
  );
  return found.length > 0;
}

/**
 * Makes tables in one transaction while no other session does so under the same number; statement by statement, so that a
 * client that dies in between leaves nothing behind.
 */
export async function locked<T>(connection: Connection, lock: number, work: () => Promise<T>): Promise<T> {
  await connection.query('BEGIN');
  try {
    await connection.query('SELECT pg_advisory_xact_lock($1)', [lock]);
    const done = await work();
    await connection.query('COMMIT');
    return done;
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
