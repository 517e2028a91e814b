import { availableParallelism } from 'node:os';
import { BackstayError } from '../../../errors/index.ts';
import { type Backup, isProven, type PostgresStoreSetting } from '../../../model/index.ts';
import type { BackupShelf, Clock, DataStore, RestoredBeside } from '../../../ports/index.ts';
import { reportNewRows, takeNewRows } from '../merge/index.ts';
import { pointInTime } from '../pitr/index.ts';
import { type BackupRequest, proveRead, takeBackup } from './backup.ts';
import { integrityOf } from './integrity.ts';
import { otherSessions, shapeOf } from './shape.ts';
import { type Access, connected, describeConnection } from './connection.ts';
import { applicationOf, MAINTENANCE, raiseFence } from './fence.ts';
import { ofFullServer } from './full-server.ts';
import { dropMark, inPlaceState } from './in-place-mark.ts';
import { lookInPlace, restoreInPlace, undoInPlace } from './in-place.ts';
import { countRows, serverFacts } from './inspect.ts';
import { obstaclesTo } from './preflight.ts';
import { besideName, trialRun } from './names.ts';
import { type RestoreRequest, restoreBeside } from './restore.ts';
import { finalizeSwap, swap, swapState, undoSwap } from './swap.ts';
import { type ClientTools, type FetchTools, findClientTools } from './tools.ts';
import { dropSchema, tablesState } from './tables-beside.ts';
import { obstaclesToTables, wantedTables } from './tables-chosen.ts';
import { exchangeTables } from './tables-exchange.ts';
import { restoreTablesBeside, type TablesRequest } from './tables-restore.ts';
import { inTablesTrial, inTrial } from './trial.ts';

export interface PostgresStoreOptions {
  readonly stack: string;
  readonly setting: PostgresStoreSetting;
  /** Where and how it is reached; asked before each act, for a way through the cluster may have to be opened. */
  readonly access: () => Promise<Access>;
  readonly shelf: BackupShelf;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Gets client tools of the newest version that is known, where this machine's own are too old. Absent: they are refused. */
  readonly fetchTools?: FetchTools;
  /** Connections that dump or restore at once. @default as many as this machine has cores, 2 to 8 */
  readonly jobs?: number;
  /** Bytes from which on a database is dumped by several connections, into a folder. @default 256 MiB */
  readonly parallelFrom?: number;
}

/** Below, several connections take longer to begin than one takes to end. */
const PARALLEL_FROM = 2 ** 28;

/** A PostgreSQL database, by its own client tools and over connections of its own. */
export function createPostgresStore(options: PostgresStoreOptions): DataStore {
  const { stack, setting, shelf, clock, env, fetchTools, parallelFrom = PARALLEL_FROM } = options;
  const jobs = options.jobs ?? Math.min(8, Math.max(2, availableParallelism()));
  const { database } = setting.connection;
  const now = (): string => new Date(clock.now()).toISOString();
  const accessed = options.access;
  const tools = async (access: Access): Promise<ClientTools> =>
    await findClientTools(
      await connected(access, async (client) => (await serverFacts(client)).major),
      env,
      fetchTools,
    );
  /** Raised for each act: whoever began earlier, and was held up, can no longer end. */
  const fenced = async (run: string, as?: { readonly asHolder: boolean }) => {
    const access = await accessed();
    const epoch = await connected(access, async (client) => await raiseFence(client, database, run, as), {
      database: MAINTENANCE,
    });
    return { access: { ...access, application: applicationOf(epoch, database) }, epoch };
  };
  const given = (signal?: AbortSignal) => (signal === undefined ? {} : { signal });

  const inRoom = async <T>(access: Access, work: Promise<T>): Promise<T> =>
    await work.catch(async (error: unknown) => {
      throw await ofFullServer(error, access);
    });

  const restored = async (request: Omit<RestoreRequest, 'jobs' | 'now'>, access: Access): Promise<RestoredBeside> => {
    const done = await inRoom(access, restoreBeside({ ...request, jobs, now }, access, await tools(access)));
    return { ...done, backup: await shelf.record(request.backup, done.proof) };
  };

  const restoredTables = async (request: Omit<TablesRequest, 'now'>, access: Access): Promise<RestoredBeside> => {
    const done = await inRoom(access, restoreTablesBeside({ ...request, now }, access, await tools(access)));
    // Of a backup that has more than these nothing was proven as a whole.
    const whole = request.backup.manifest.tables?.length === request.tables.length;
    return whole ? { ...done, backup: await shelf.record(request.backup, done.proof) } : done;
  };

  const taken = async (
    access: Access,
    of: Pick<BackupRequest, 'marker' | 'schema' | 'tables' | 'past' | 'signal'>,
  ): Promise<Backup> =>
    await shelf.add(async (id, folder) => {
      const manifest = await takeBackup(
        { id, stack, store: setting.name, folder, now, jobs, parallelFrom, ...of },
        access,
        async (major) => await findClientTools(major, env, fetchTools),
      );
      const message = `${manifest.file.bytes} bytes read back when it was taken`;
      return { manifest, proof: { proof: 'read', at: now(), durationMs: 0, message } };
    });

  const { table: own } = setting.migrations ?? {};
  const revisions = own === undefined ? {} : { revisions: own };

  const prove: DataStore['prove'] = async (backup, wanted, signal) => {
    if (isProven(backup, wanted)) return backup;
    const access = await accessed();
    if (wanted === 'read')
      return await shelf.record(backup, await proveRead(backup, await tools(access), access, now, signal));
    // Without the fence: a trial is nobody's run, and takes nothing from one that is under way.
    const run = trialRun(shelf.newId());
    const tables = wantedTables(backup.manifest);
    if (tables === undefined)
      return await inTrial(access, run, async () => (await restored({ backup, run, ...given(signal) }, access)).backup);
    const request = { backup, run, tables, ...given(signal) };
    return await inTablesTrial(access, run, async () => (await restoredTables(request, access)).backup);
  };

  const store: DataStore = {
    setting,
    inspect: async () =>
      await connected(await accessed(), async (client) => {
        const { rows } = await client.query<{ bytes: string }>(
          'SELECT pg_database_size(current_database())::text AS bytes',
        );
        return {
          server: describeConnection(setting.connection),
          version: (await serverFacts(client)).version,
          bytes: Number(rows[0]?.bytes),
          rows: await countRows(client),
        };
      }),
    sessions: async () => await connected(await accessed(), otherSessions),
    shape: async (at = database) => await connected(await accessed(), shapeOf, { database: at }),
    integrity: async (at = database) => await connected(await accessed(), integrityOf, { database: at }),
    backups: async () => await shelf.list(),
    find: async (id) => await shelf.find(id),
    backup: async ({ signal, marker, schema, tables } = {}) => {
      return await taken(await accessed(), {
        ...(marker === undefined ? {} : { marker }),
        ...(schema === undefined ? {} : { schema }),
        ...(tables === undefined ? {} : { tables }),
        ...given(signal),
      });
    },
    prove,
    obstacles: async (backup, asked) => {
      const access = await accessed();
      const tables = wantedTables(backup.manifest, asked);
      if (tables !== undefined) return await obstaclesToTables(backup.manifest, tables, access);
      const { major } = await tools(access);
      return await obstaclesTo(backup.manifest, access, major);
    },
    restoreBeside: async (backup, run, signal, asked) => {
      signal?.throwIfAborted();
      const { access } = await fenced(run);
      const tables = wantedTables(backup.manifest, asked);
      return tables === undefined
        ? await restored({ backup, run, ...given(signal) }, access)
        : await restoredTables({ backup, run, tables, ...given(signal) }, access);
    },
    swap: async (run) => {
      const { access, epoch } = await fenced(run, { asHolder: true });
      if ((await tablesState(access, run)) !== 'nothing') return await exchangeTables(access, run, epoch, 'swap');
      return await swap(access, run, epoch);
    },
    undoSwap: async (run) => {
      const { access, epoch } = await fenced(run);
      if ((await tablesState(access, run)) !== 'nothing') return await exchangeTables(access, run, epoch, 'undo');
      if ((await inPlaceState(access, run)) !== 'nothing') {
        const find = async (id: string) => await shelf.find(id);
        return await undoInPlace({ run, epoch, find }, access, await tools(access));
      }
      return await undoSwap(access, run, epoch);
    },
    finalize: async (run) => {
      const access = await accessed();
      return [
        ...(await finalizeSwap(access, run)),
        ...(await dropSchema(access, run)),
        ...(await dropMark(access, run)),
      ];
    },
    stateOf: async (run) => {
      const access = await accessed();
      const state = await swapState(access, run);
      if (state !== 'nothing') return state;
      const tables = await tablesState(access, run);
      return tables === 'nothing' ? await inPlaceState(access, run) : tables;
    },
    lookInPlace: async (backup) => {
      const access = await accessed();
      const { obstacles, stays, mayTry } = await lookInPlace(backup, access, await tools(access));
      return { obstacles, stays, wayBack: mayTry ? 'restored' : 'read' };
    },
    restoreInPlace: async (backup, run, wayBack, signal) => {
      signal?.throwIfAborted();
      const { access, epoch } = await fenced(run);
      const request = { run, epoch, backup, wayBack, ...given(signal) };
      return await inRoom(access, restoreInPlace(request, access, await tools(access)));
    },
    newRows: async (backup, signal) => {
      const access = await accessed();
      requireWhole(backup);
      const run = trialRun(shelf.newId());
      return await inTrial(access, run, async () => {
        const { database: beside } = await restored({ backup, run, ...given(signal) }, access);
        return await reportNewRows(access, beside, { ...revisions, ...given(signal) });
      });
    },
    keepNewRows: async (run, report, signal) => {
      const { access } = await fenced(run, { asHolder: true });
      return await takeNewRows(access, besideName(database, run), { run, report, ...revisions, ...given(signal) });
    },
    ...(setting.archive === undefined
      ? {}
      : pointInTime({
          archive: setting.archive,
          shelf,
          access: accessed,
          env,
          dump: async (access, past, signal) => await taken(access, { past, ...given(signal) }),
          integrity: async (access) => await connected(access, integrityOf),
        })),
  };
  return store;
}

function requireWhole({ manifest }: Backup): void {
  if (wantedTables(manifest) === undefined) return;
  throw new BackstayError(
    'STORE_UNSUPPORTED',
    `backup ${manifest.id} holds single tables: new rows are kept of whole ones`,
  );
}
