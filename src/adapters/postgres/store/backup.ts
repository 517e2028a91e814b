import { join } from 'node:path';
import type { Client } from 'pg';
import { isBackstayError } from '../../../errors/index.ts';
import type {
  Backup,
  BackupManifest,
  PointInTimeSource,
  ProofRecord,
  SchemaRevision,
  TableContents,
} from '../../../model/index.ts';
import { type Access, connected } from './connection.ts';
import { contentsOf, countOf, pinSession, shared, type Table, tablesOf } from './contents.ts';
import { assertTables, dump, readBack, readFile, readPart } from './dump.ts';
import { assertThere, damaged, filesOf } from './files.ts';
import { databaseState, serverFacts } from './inspect.ts';
import { chosenTables, requirePlain } from './tables-chosen.ts';
import type { ClientTools } from './tools.ts';

/** Connections that count beside the dump: more would only take the server's time from it. */
const COUNTERS = 2;

export interface BackupRequest {
  readonly id: string;
  readonly stack: string;
  readonly store: string;
  /** Absolute path of an empty folder. */
  readonly folder: string;
  /** ISO 8601. */
  readonly now: () => string;
  /** Connections that dump at once, where the database has at least `parallelFrom` bytes. */
  readonly jobs: number;
  readonly parallelFrom: number;
  /** Common to backups that were taken together. */
  readonly marker?: string;
  readonly schema?: SchemaRevision;
  /** Names of single tables; absent: everything. */
  readonly tables?: readonly string[];
  /** Of a server that stands at a moment of the past. */
  readonly past?: { readonly takenAt: string; readonly source: PointInTimeSource };
  readonly signal?: AbortSignal;
}

/**
 * Dumps the database in one snapshot, in which its rows are counted and digested as well, so that these and the dump cannot disagree. The
 * dump has its name only once it is whole, read back and flushed.
 * @throws STORE_FAILED with what the tool said (a full disk among it).
 */
export async function takeBackup(
  request: BackupRequest,
  access: Access,
  toolsFor: (major: number) => Promise<ClientTools>,
): Promise<BackupManifest> {
  const { id, stack, store, folder, marker, schema, signal } = request;
  const began = performance.now();
  signal?.throwIfAborted();
  const { tools, facts, jobs, taken } = await connected(
    access,
    async (client) => await dumpedOf(client, request, access, toolsFor),
  );
  const files = await readBack({ folder, jobs, ...(signal === undefined ? {} : { signal }) }, access, tools);
  const { lsn, ...seen } = taken;
  return {
    apiVersion: 'backstay.dev/v1',
    kind: 'BackupManifest',
    id,
    stack,
    store,
    engine: 'postgres',
    durationMs: Math.round(performance.now() - began),
    database: access.connection.database,
    server: { version: facts.version, systemIdentifier: facts.systemIdentifier, lsn },
    tool: `pg_dump ${tools.version}`,
    ...files,
    ...seen,
    ...(marker === undefined ? {} : { marker }),
    ...(schema === undefined ? {} : { schema }),
    ...(request.tables === undefined ? {} : { tables: Object.keys(seen.rows) }),
    ...request.past,
  };
}

type Seen = Required<Pick<BackupManifest, 'takenAt' | 'rows' | 'contents' | 'state'>> & { readonly lsn: string };

async function dumpedOf(
  client: Client,
  { folder, now, signal, ...request }: BackupRequest,
  access: Access,
  toolsFor: (major: number) => Promise<ClientTools>,
) {
  const facts = await serverFacts(client);
  const tools = await toolsFor(facts.major);
  const { database } = access.connection;
  const state = await databaseState(client, database);
  // It idles while others dump what it shares with them.
  await client.query('SET idle_in_transaction_session_timeout = 0');
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const { rows: exported } = await client.query<{ snapshot: string; lsn: string; bytes: string }>(
    `SELECT pg_export_snapshot() AS snapshot,
            CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text AS lsn,
            pg_database_size(current_database())::text AS bytes`,
  );
  const [{ snapshot, lsn, bytes } = { snapshot: '', lsn: '', bytes: '0' }] = exported;
  const takenAt = now();
  const jobs = Number(bytes) >= request.parallelFrom ? request.jobs : 1;
  const all = await tablesOf(client);
  const tables = request.tables === undefined ? all : chosenTables(all, request.tables);
  if (request.tables !== undefined) await requirePlain(client, tables);
  const only = request.tables === undefined ? {} : { tables };
  // All at once, in the same snapshot: it lives as long as this transaction. A failure of one ends the other.
  const stop = new AbortController();
  const both = AbortSignal.any([stop.signal, ...(signal === undefined ? [] : [signal])]);
  const ending = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      stop.abort(error);
      throw error;
    });
  const done = await Promise.allSettled([
    ending(countedIn(snapshot, tables, access, both)),
    ending(dump({ folder, jobs, snapshot, ...only, signal: both }, access, tools)),
  ]);
  const failures = done.filter((one) => one.status === 'rejected').map(({ reason }): unknown => reason);
  if (failures.length > 0) {
    signal?.throwIfAborted();
    // The other one only tells that it was ended.
    throw failures.find((one) => isBackstayError(one)) ?? failures[0];
  }
  const [counted] = done;
  if (counted.status !== 'fulfilled') throw new TypeError('counted and not counted');
  const taken: Seen = { takenAt, lsn, state, ...counted.value };
  return { tools, facts, jobs, taken };
}

/** Rows and contents of every table, over connections of their own that see what the snapshot sees. */
async function countedIn(
  snapshot: string,
  tables: readonly Table[],
  access: Access,
  signal: AbortSignal,
): Promise<Required<Pick<BackupManifest, 'rows' | 'contents'>>> {
  const begin = async (client: Client): Promise<void> => {
    await pinSession(client);
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await client.query(`SET TRANSACTION SNAPSHOT '${snapshot}'`);
  };
  return await connected(access, async (first) => {
    await begin(first);
    const rows: Record<string, number> = {};
    const contents: Record<string, TableContents> = {};
    const look = (client: Client) => async (table: Table) => {
      signal.throwIfAborted();
      const count = await countOf(client, table);
      rows[table.name] = count;
      const held = await contentsOf(client, table, count);
      if (held !== undefined) contents[table.name] = held;
    };
    const second = async (client: Client): Promise<void> => {
      await begin(client);
      await shared(tables, [look(first), look(client)]);
    };
    await (tables.length < COUNTERS ? shared(tables, [look(first)]) : connected(access, second));
    return { rows: sorted(rows), contents: sorted(contents) };
  });
}

/**
 * Reads every byte of a backup again, unpacks it, and compares it with its manifest.
 * @throws BACKUP_DAMAGED naming the file and what is wrong with it.
 */
export async function proveRead(
  backup: Backup,
  tools: ClientTools,
  access: Access,
  now: () => string,
  signal?: AbortSignal,
): Promise<ProofRecord> {
  const began = performance.now();
  const { manifest, folder } = backup;
  const given = signal === undefined ? {} : { signal };
  await assertThere(backup);
  const parts = filesOf(backup);
  const single = manifest.files === undefined;
  for (const { path, digest } of parts) {
    const found = await (single ? readFile(path, access, tools, signal) : readPart(path, given)).catch(
      (error: unknown) => {
        signal?.throwIfAborted();
        throw damaged(manifest, path, `cannot be read to its end: ${(error as Error).message}`, error);
      },
    );
    if (found.digest !== digest) throw damaged(manifest, path, 'is not the file that was written: its digest differs');
  }
  const whole = join(folder, manifest.file.name);
  if (!single)
    await assertTables(whole, access, tools, signal).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw damaged(manifest, whole, `cannot be listed: ${(error as Error).message}`, error);
    });
  return {
    proof: 'read',
    at: now(),
    durationMs: Math.round(performance.now() - began),
    message: `${manifest.file.bytes} bytes${single ? '' : ` in ${parts.length} files`} read, digest as written`,
  };
}

function sorted<T>(record: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
