import type { Client } from 'pg';
import { BackstayError } from '../../../errors/index.ts';

/** Where fences stand: in the server's maintenance database, so that a rename of the database itself can be fenced. */
export const MAINTENANCE = 'postgres';

/**
 * Takes the fence of a database for a run: from now on whoever holds an older epoch can commit no swap. Sessions of older
 * runs are ended, for a killed process' tools go on without it. `asHolder`: only where no other run has taken it since ours.
 * @throws STORE_FENCED naming the run that has
 */
export async function raiseFence(
  client: Client,
  database: string,
  run: string,
  { asHolder = false }: { readonly asHolder?: boolean } = {},
): Promise<number> {
  await client.query('BEGIN');
  try {
    // Two that make it at once: the second waits here, and then finds it made.
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('backstay.fence'))`);
    if (!(await isMade(client))) {
      await client.query('CREATE SCHEMA IF NOT EXISTS backstay');
      await client.query(
        `CREATE TABLE backstay.fence (database text PRIMARY KEY, epoch bigint NOT NULL, run text NOT NULL)`,
      );
    }
    if (asHolder) await assertHolder(client, database, run);
    const { rows } = await client.query<{ epoch: string }>(
      `INSERT INTO backstay.fence AS f VALUES ($1, 1, $2)
       ON CONFLICT (database) DO UPDATE SET epoch = f.epoch + 1, run = excluded.run RETURNING epoch::text`,
      [database, run],
    );
    await client.query('COMMIT');
    const epoch = Number(rows[0]?.epoch);
    await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name LIKE 'backstay:%' AND split_part(application_name, ':', 3) = $1
          AND split_part(application_name, ':', 2)::bigint < $2`,
      [database.slice(0, 30), epoch],
    );
    return epoch;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Asked of the catalogue: whoever may use the fence need not be allowed to make one. */
async function isMade(client: Client): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'backstay' AND c.relname = 'fence'`,
  );
  return rows.length > 0;
}

/** Held up anywhere since it restored, a run finds here who came after it. */
async function assertHolder(client: Client, database: string, run: string): Promise<void> {
  const { rows } = await client.query<{ run: string }>('SELECT run FROM backstay.fence WHERE database = $1', [
    database,
  ]);
  const holder = rows[0]?.run;
  if (holder === undefined || holder === run) return;
  throw new BackstayError('STORE_FENCED', `database ${database} belongs to run ${holder} by now, not to ${run}`, {
    details: { database, run, holder },
  });
}

/** `application_name` of a run's sessions (63 bytes at most): epoch and database, by which older ones are found. */
export function applicationOf(epoch: number, database: string): string {
  return `backstay:${epoch}:${database.slice(0, 30)}`;
}

/**
 * Within the transaction that acts: still ours, and so until it commits.
 * @throws STORE_FENCED naming the run that came after.
 */
export async function assertFence(client: Client, database: string, epoch: number): Promise<void> {
  const { rows } = await client.query<{ epoch: string; run: string }>(
    'SELECT epoch::text, run FROM backstay.fence WHERE database = $1 FOR UPDATE',
    [database],
  );
  const [now] = rows;
  if (now !== undefined && Number(now.epoch) === epoch) return;
  throw new BackstayError(
    'STORE_FENCED',
    now === undefined
      ? `the fence of database ${database} is gone`
      : `database ${database} belongs to run ${now.run} by now (epoch ${now.epoch}, ours is ${epoch})`,
    { details: { database, epoch, ...(now === undefined ? {} : { holder: now.run, now: Number(now.epoch) }) } },
  );
}
