import { join } from 'node:path';
import type { Client } from 'pg';
import type { Backup, BackupManifest } from '../../../model/index.ts';
import type { RestoredBeside } from '../../../ports/index.ts';
import { type Access, connected, identifier, literal, toolEnvironment } from './connection.ts';
import { MAINTENANCE } from './fence.ts';
import { assertDigests, assertThere } from './files.ts';
import { carryState, databaseState } from './inspect.ts';
import { besideName } from './names.ts';
import { assertCounts, proveContents } from './prove.ts';
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
 * Restores a backup into a fresh database beside the live one, which is not touched, and proves it: files as they were
 * written, counts and contents as in the snapshot that was dumped. What a dump leaves out is carried over from the live
 * database, planner statistics are gathered, and only then is it marked as whole. One that an earlier attempt left whole is
 * taken as it is; any other is dropped first, and so is this one when it fails.
 * @throws STORE_FAILED, BACKUP_DAMAGED when anything is not as it was written
 */
export async function restoreBeside(
  request: RestoreRequest,
  access: Access,
  tools: ClientTools,
): Promise<RestoredBeside> {
  const began = performance.now();
  const { backup, run, now, signal } = request;
  const { manifest } = backup;
  const live = access.connection.database;
  const database = besideName(live, run);
  const done = (rows: BackupManifest['rows'], message: string): RestoredBeside => ({
    backup,
    database,
    rows,
    proof: { proof: 'restored', at: now(), durationMs: Math.round(performance.now() - began), message },
  });
  signal?.throwIfAborted();
  await assertThere(backup);
  const at = { database: MAINTENANCE };
  const isWhole = async (client: Client): Promise<boolean> => (await markOf(client, database)) === markFor(manifest);
  if (await connected(access, isWhole, at)) {
    await assertDigests(backup, signal);
    const rows = await assertCounts(manifest, access, database);
    return done(rows, `${database} was restored before`);
  }
  try {
    await connected(access, async (client) => await makeFresh(client, live, database), at);
    await load(request, access, tools, database);
    const loadMs = Math.round(performance.now() - began);
    const { rows, message } = await proveContents(request, access, database);
    await connected(
      access,
      async (client) => {
        await carryState(client, database, await databaseState(client, live));
        signal?.throwIfAborted();
        await client.query(`ALTER DATABASE ${identifier(database)} SET ${MARK} = ${literal(markFor(manifest))}`);
      },
      at,
    );
    return { ...done(rows, message), loadMs };
  } catch (error) {
    // Best effort: what stays has no mark, and is dropped by the next attempt or by finalizing.
    await connected(access, async (client) => await dropWhole(client, database), at).catch(() => undefined);
    throw error;
  }
}

/**
 * The files are digested while they are restored: whoever is ahead brings them into memory for the other, so that a disk reads them once. A file that is not
 * the one that was written ends the restore, whatever pg_restore thinks of it; and where pg_restore fails, the digests say whose fault it is.
 */
async function load(
  { backup, jobs, signal }: RestoreRequest,
  access: Access,
  { bin }: ClientTools,
  database: string,
): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([stop.signal, ...(signal === undefined ? [] : [signal])]);
  const digested = assertDigests(backup, signal).catch((error: unknown) => {
    stop.abort(error);
    throw error;
  });
  const path = join(backup.folder, backup.manifest.file.name);
  const args = ['--no-password', '--exit-on-error', '--jobs', String(jobs), '--dbname', database, path];
  const loaded = runTool(join(bin, 'pg_restore'), args, { env: toolEnvironment(access), signal: both });
  for (const one of await Promise.allSettled([digested, loaded])) if (one.status === 'rejected') throw one.reason;
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
