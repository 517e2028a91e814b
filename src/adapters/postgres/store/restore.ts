import { join } from 'node:path';
import type { Client } from 'pg';
import { BackstayError } from '../../../errors/index.ts';
import type { Backup, BackupManifest } from '../../../model/index.ts';
import type { RestoredBeside } from '../../../ports/index.ts';
import { type Access, connected, identifier, literal, toolEnvironment } from './connection.ts';
import { MAINTENANCE } from './fence.ts';
import { carryState, countRows, databaseState } from './inspect.ts';
import { besideName } from './names.ts';
import { type ClientTools, runTool } from './tools.ts';

/** Set on a database when its restore is proven, last of all: what lacks it is half of something and starts anew. */
const MARK = 'backstay.restored';

export interface RestoreRequest {
  readonly backup: Backup;
  readonly run: string;
  /** Restored by so many connections at once. */
  readonly jobs: number;
  readonly now: () => string;
  readonly signal?: AbortSignal;
}

/**
 * Restores a backup into a fresh database beside the live one, which is not touched, and proves it: the counts are those
 * of the moment of the dump. What a dump leaves out is carried over from the live database, planner statistics are
 * gathered, and only then is it marked as whole. One that an earlier attempt left whole is taken as it is; any other is
 * dropped first. @throws STORE_FAILED, BACKUP_DAMAGED when the counts differ
 */
export async function restoreBeside(
  { backup, run, jobs, now, signal }: RestoreRequest,
  access: Access,
  tools: ClientTools,
): Promise<RestoredBeside> {
  const began = performance.now();
  const { manifest, folder } = backup;
  const live = access.connection.database;
  const database = besideName(live, run);
  const done = (rows: BackupManifest['rows'], message: string): RestoredBeside => ({
    backup,
    database,
    rows,
    proof: { proof: 'restored', at: now(), durationMs: Math.round(performance.now() - began), message },
  });
  const mark = await connected(access, async (client) => await markOf(client, database), { database: MAINTENANCE });
  if (mark === markFor(manifest)) {
    const rows = await connected(access, countRows, { database });
    assertCounts(manifest, rows, database);
    return done(rows, `${database} was restored before`);
  }
  await connected(access, async (client) => await makeFresh(client, live, database), { database: MAINTENANCE });
  await runTool(
    join(tools.bin, 'pg_restore'),
    [
      '--no-password',
      '--exit-on-error',
      '--jobs',
      String(jobs),
      '--dbname',
      database,
      join(folder, manifest.file.name),
    ],
    { env: toolEnvironment(access), ...(signal === undefined ? {} : { signal }) },
  );
  const rows = await connected(
    access,
    async (client) => {
      const counted = await countRows(client);
      assertCounts(manifest, counted, database);
      // Otherwise the first queries after a swap are planned as if every table were empty.
      await client.query('ANALYZE');
      return counted;
    },
    { database },
  );
  await connected(
    access,
    async (client) => {
      await carryState(client, database, await databaseState(client, live));
      await client.query(`ALTER DATABASE ${identifier(database)} SET ${MARK} = ${literal(markFor(manifest))}`);
    },
    { database: MAINTENANCE },
  );
  const total = Object.values(rows).reduce((sum, count) => sum + count, 0);
  return done(rows, `${Object.keys(rows).length} tables with ${total} rows in ${database}, as when it was taken`);
}

/** Ends its sessions and drops it, whatever state an interrupted drop left it in. */
export async function dropWhole(client: Client, database: string): Promise<void> {
  await client.query(`DROP DATABASE IF EXISTS ${identifier(database)} WITH (FORCE)`);
}

async function makeFresh(client: Client, live: string, database: string): Promise<void> {
  await dropWhole(client, database);
  const { owner, encoding, collate, ctype } = await databaseState(client, live);
  await client.query(
    `CREATE DATABASE ${identifier(database)} TEMPLATE template0 OWNER ${identifier(owner)}
      ENCODING ${literal(encoding)} LC_COLLATE ${literal(collate)} LC_CTYPE ${literal(ctype)}`,
  );
  // Nobody else has business in it before the swap.
  await client.query(`REVOKE CONNECT ON DATABASE ${identifier(database)} FROM PUBLIC`);
}

function markFor({ id, file }: BackupManifest): string {
  return `${id} ${file.digest}`;
}

/** What a database was restored from, when that came to its end; undefined for any other. */
export async function markOf(client: Client, database: string): Promise<string | undefined> {
  const { rows } = await client.query<{ settings: string[] | null }>(
    `SELECT s.setconfig AS settings FROM pg_database d
       JOIN pg_db_role_setting s ON s.setdatabase = d.oid AND s.setrole = 0
      WHERE d.datname = $1 AND d.datconnlimit <> -2`,
    [database],
  );
  const mark = rows[0]?.settings?.find((setting) => setting.startsWith(`${MARK}=`));
  return mark?.slice(MARK.length + 1);
}

function assertCounts(manifest: BackupManifest, rows: Readonly<Record<string, number>>, database: string): void {
  const names = [...new Set([...Object.keys(manifest.rows), ...Object.keys(rows)])].sort();
  const wrong = names.filter((name) => manifest.rows[name] !== rows[name]);
  if (wrong.length === 0) return;
  const said = wrong.map(
    (name) => `${name}: ${manifest.rows[name] ?? 'no table'} then, ${rows[name] ?? 'no table'} now`,
  );
  throw new BackstayError('BACKUP_DAMAGED', `backup ${manifest.id}, restored into ${database}: ${said.join('; ')}`, {
    details: { backup: manifest.id, tables: wrong },
  });
}
