import { join } from 'node:path';
import type { Client } from 'pg';
import { BackstayError } from '../../../errors/index.ts';
import { type Backup, type BackupManifest, isProven } from '../../../model/index.ts';
import type { Swapped } from '../../../ports/index.ts';
import { type Access, connected, toolEnvironment } from './connection.ts';
import { contentsOf, countOf, pinSession, quoted, tablesOf } from './contents.ts';
import { assertFence, MAINTENANCE } from './fence.ts';
import { assertDigests, assertThere } from './files.ts';
import { endSessions, untilAlone, watchLocks } from './in-place-locks.ts';
import { dropMark, isCommitted, type Mark, markFor, markIn, nameOf, writeMark } from './in-place-mark.ts';
import { labelsIn, liveObjects, standsInTheWay, tablesOutside } from './in-place-outside.ts';
import { type ClientTools, runTool } from './tools.ts';

export interface InPlaceRequest {
  readonly run: string;
  readonly epoch: number;
  readonly backup: Backup;
  readonly wayBack: Backup;
  readonly signal?: AbortSignal;
}

/**
 * What would keep a backup from being restored in place, in words, and what it leaves: it is asked of the catalogue, for the
 * server itself would tell only in the middle, with everybody locked out.
 */
export async function lookInPlace(
  backup: Backup,
  access: Access,
  tools: ClientTools,
): Promise<{ readonly obstacles: readonly string[]; readonly stays: readonly string[]; readonly mayTry: boolean }> {
  const { manifest } = backup;
  await assertThere(backup);
  const held = labelsIn(await listOf(backup, access, tools));
  return await connected(access, async (client) => {
    const { rows } = await client.query<Rights>(
      `SELECT has_database_privilege(current_database(), 'CREATE') AS "maySchema",
              (SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user) AS "mayTry",
              ARRAY(SELECT gid FROM pg_prepared_xacts WHERE database = current_database())::text[] AS prepared,
              (SELECT count(*)::int FROM pg_stat_subscription) AS subscriptions`,
    );
    const { maySchema = false, mayTry = false, prepared = [], subscriptions = 0 } = rows[0] ?? {};
    const live = await liveObjects(client);
    return {
      mayTry,
      stays: tablesOutside(live, held),
      obstacles: [
        ...(manifest.tables === undefined ? [] : [`backup ${manifest.id} holds single tables`]),
        ...(access.connection.database === MAINTENANCE ? [`${MAINTENANCE} holds the fence of every run`] : []),
        ...(maySchema ? [] : ['the user may not create schemas in this database (CREATE)']),
        ...prepared.map((gid) => `prepared transaction ${gid} is open: commit it or roll it back`),
        ...(subscriptions > 0 ? ['a subscription cannot be dropped within a transaction'] : []),
        ...standsInTheWay(live, held),
      ],
    };
  });
}

interface Rights {
  readonly maySchema: boolean;
  readonly mayTry: boolean;
  readonly prepared: readonly string[];
  readonly subscriptions: number;
}

/**
 * Drops what a backup holds and makes it again as it was then, in one transaction of one connection: ended at any moment, it
 * has done nothing. Done twice it has one effect. @throws STORE_REFUSED, BACKUP_UNPROVEN, STORE_FENCED, STORE_FAILED with live
 * data as it was; BACKUP_DAMAGED where what is live then is not what was backed up
 */
export async function restoreInPlace(request: InPlaceRequest, access: Access, tools: ClientTools): Promise<Swapped> {
  const { run, backup, wayBack } = request;
  const { manifest } = backup;
  if (!isProven(wayBack, 'read') || wayBack.manifest.id === manifest.id || wayBack.manifest.tables !== undefined)
    throw new BackstayError('BACKUP_UNPROVEN', `backup ${wayBack.manifest.id} is no way back from a restore in place`);
  const mark = await connected(access, async (client) => await markIn(client, nameOf(access, run)));
  if (mark !== undefined && (mark.turn === 'back' || mark.backup !== manifest.id))
    throw new BackstayError('STORE_FAILED', `run ${run} has restored backup ${mark.backup} in place already`);
  return await turn(request, { turn: 'there', backup: manifest.id, wayBack: wayBack.manifest.id }, access, tools);
}

/** The same with what was live before. */
export async function undoInPlace(
  request: Omit<InPlaceRequest, 'backup' | 'wayBack'> & { readonly find: (id: string) => Promise<Backup> },
  access: Access,
  tools: ClientTools,
): Promise<Swapped> {
  const { run, find } = request;
  const mark = await connected(access, async (client) => await markIn(client, nameOf(access, run)));
  if (mark === undefined) throw new BackstayError('STORE_FAILED', `run ${run} has restored nothing in place`);
  const id = mark.turn === 'there' ? mark.wayBack : mark.backup;
  const kept = mark.turn === 'there' ? mark.backup : mark.wayBack;
  const wayBack = await find(id);
  return await turn({ ...request, backup: wayBack }, { turn: 'back', backup: id, wayBack: kept }, access, tools);
}

async function turn(
  { run, epoch, backup, signal }: Omit<InPlaceRequest, 'wayBack'>,
  wanted: Pick<Mark, 'turn' | 'backup' | 'wayBack'>,
  access: Access,
  tools: ClientTools,
): Promise<Swapped> {
  const schema = nameOf(access, run);
  const { manifest } = backup;
  const kept = `backup ${wanted.wayBack}`;
  // A killed process' pg_restore may go on for a moment: the server has ended it, and is asked until it is gone.
  await connected(access, async (client) => await untilAlone(client, signal));
  const before = await connected(access, async (client) => {
    const found = await markIn(client, schema);
    return found?.turn === wanted.turn ? found : undefined;
  });
  if (before?.proven === true) return { kept, unavailableMs: 0 };
  const earlier =
    before !== undefined && (await connected(access, async (client) => await isCommitted(client, before)));
  let unavailableMs = 0;
  let mark = before;
  if (!earlier) {
    await requireFree(backup, access, tools);
    await assertDigests(backup, signal);
    mark = await connected(
      access,
      async (client) => await writeMark(client, schema, await markFor(client, wanted, manifest)),
    );
    unavailableMs = await load(
      { run, epoch, backup, ...(signal === undefined ? {} : { signal }) },
      mark,
      access,
      tools,
    );
  }
  await connected(access, async (client) => {
    await assertAsThen(client, manifest);
    if (mark !== undefined) await writeMark(client, schema, { ...mark, proven: true });
  });
  return { kept, unavailableMs };
}

async function requireFree(backup: Backup, access: Access, tools: ClientTools): Promise<void> {
  const { obstacles } = await lookInPlace(backup, access, tools);
  if (obstacles.length === 0) return;
  throw new BackstayError(
    'STORE_REFUSED',
    `backup ${backup.manifest.id} cannot be restored in place: ${obstacles.join('; ')}.`,
    { details: { obstacles } },
  );
}

/** One transaction of pg_restore. Its exit code is not believed: the witness tells whether it was committed. */
async function load(
  { run, epoch, backup, signal }: Omit<InPlaceRequest, 'wayBack'>,
  mark: Mark,
  access: Access,
  { bin }: ClientTools,
): Promise<number> {
  const { database } = access.connection;
  const path = join(backup.folder, backup.manifest.file.name);
  const args = ['--no-password', '--clean', '--if-exists', '--single-transaction', '--exit-on-error'];
  const began = performance.now();
  await connected(
    access,
    async (fence) => {
      // The fence's row stays locked until the restore is over: nobody can take it in between.
      await fence.query('BEGIN');
      await assertFence(fence, database, epoch);
      const locks = watchLocks(access, signal);
      try {
        await runTool(join(bin, 'pg_restore'), [...args, '--dbname', database, path], {
          env: toolEnvironment(access),
          signal: locks.signal,
        });
      } catch (error) {
        await locks.stop();
        await connected(access, async (client) => {
          // One whose client is gone may still wait for a lock, and has not noticed.
          await endSessions(client, access.application ?? '');
          await untilAlone(client);
        });
        if (await connected(access, async (client) => await isCommitted(client, mark))) return;
        // It says nothing any more; that of a way back still says that the run has restored.
        if (mark.turn === 'there') await dropMark(access, run).catch(() => undefined);
        signal?.throwIfAborted();
        throw failure(locks.blocked() ?? error, access);
      } finally {
        await locks.stop();
        await fence.query('ROLLBACK').catch(() => undefined);
      }
    },
    { database: MAINTENANCE },
  );
  return Math.round(performance.now() - began);
}

function failure(error: unknown, access: Access): BackstayError {
  const said = error instanceof Error ? error.message : String(error);
  return new BackstayError('STORE_FAILED', `the backup could not be restored in place: ${said}`, {
    cause: error,
    next: 'The live data is as it was. Look who holds sessions on it (pg_stat_activity), then resume.',
    details: { database: access.connection.database },
  });
}

/** Tables that the backup does not hold stay, and are not asked. @throws BACKUP_DAMAGED naming those that differ */
async function assertAsThen(client: Client, manifest: BackupManifest): Promise<void> {
  await pinSession(client);
  const tables = new Map((await tablesOf(client)).map((table) => [table.name, table]));
  const wrong: string[] = [];
  for (const [name, count] of Object.entries(manifest.rows)) {
    const table = tables.get(name);
    if (table === undefined) {
      wrong.push(`${name} is not there`);
      continue;
    }
    await client.query('BEGIN');
    const now = await countOf(client, table);
    const then = manifest.contents?.[name];
    if (now !== count) wrong.push(`${name}: ${now} rows, ${count} then`);
    else if (then !== undefined && (await contentsOf(client, table, now))?.digest !== then.digest)
      wrong.push(`${name}: not the contents of then`);
    await client.query('COMMIT');
    await client.query(`ANALYZE ${quoted(table)}`);
  }
  if (wrong.length === 0) return;
  throw new BackstayError('BACKUP_DAMAGED', `restored in place, and not as it was backed up: ${wrong.join('; ')}`, {
    details: { backup: manifest.id, wrong },
  });
}

async function listOf(backup: Backup, access: Access, { bin }: ClientTools): Promise<string> {
  let list = '';
  await runTool(join(bin, 'pg_restore'), ['--list', join(backup.folder, backup.manifest.file.name)], {
    env: toolEnvironment(access),
    onOutput: (text) => (list += text),
  });
  return list;
}
