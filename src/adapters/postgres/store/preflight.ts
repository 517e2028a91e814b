import type { BackupManifest } from '../../../model/index.ts';
import { type Access, connected } from './connection.ts';

interface Facts {
  readonly superuser: boolean;
  readonly mayCreate: boolean;
  readonly owns: boolean;
  readonly maySignal: boolean;
  readonly prepared: readonly string[];
  readonly slots: readonly string[];
  readonly subscriptions: number;
}

/** Major version that wrote the archive: pg_restore reads its own and older ones. */
const WRITTEN_BY = /(\d+)(?:\.\d+)?$/;

/**
 * What would stop a restore or an exchange in its middle, asked while nothing is paused yet: rights, transactions that no
 * session holds, what is bound to the database's own identity, and tools that cannot read the backup.
 */
export async function obstaclesTo(
  manifest: BackupManifest,
  access: Access,
  toolMajor: number,
): Promise<readonly string[]> {
  const { database } = access.connection;
  const facts = await connected(access, async (client) => {
    const { rows } = await client.query<Facts>(
      `SELECT r.rolsuper AS superuser, r.rolcreatedb AS "mayCreate", pg_has_role(r.oid, d.datdba, 'MEMBER') AS owns,
              pg_has_role(r.oid, 'pg_signal_backend', 'MEMBER') AS "maySignal",
              ARRAY(SELECT gid FROM pg_prepared_xacts WHERE database = d.datname)::text[] AS prepared,
              ARRAY(SELECT slot_name FROM pg_replication_slots WHERE database = d.datname)::text[] AS slots,
              (SELECT count(*)::int FROM pg_stat_subscription) AS subscriptions
         FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()`,
    );
    return rows[0];
  });
  if (facts === undefined) return [`nothing can be learnt about ${database}`];
  const { superuser, mayCreate, owns, maySignal, prepared, slots, subscriptions } = facts;
  const written = Number(WRITTEN_BY.exec(manifest.tool)?.[1] ?? 0);
  return [
    ...(superuser || mayCreate ? [] : ['the user may not create databases (CREATEDB)']),
    ...(superuser || owns ? [] : [`the user does not own ${database}, and so may not rename it`]),
    ...(superuser || maySignal ? [] : ['the user may not end the sessions of others (pg_signal_backend)']),
    ...prepared.map((gid) => `prepared transaction ${gid} is open: commit it or roll it back`),
    ...slots.map((slot) => `replication slot ${slot} is bound to ${database} as it is now`),
    ...(subscriptions > 0
      ? [`${database} has ${subscriptions} subscriptions, which would go on in the former one`]
      : []),
    ...(written > toolMajor
      ? [`the backup was written by ${manifest.tool}; the tools here are of version ${toolMajor}`]
      : []),
  ];
}
