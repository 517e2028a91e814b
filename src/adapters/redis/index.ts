import { BackstayError } from '../../errors/index.ts';
import { digestOf, isProven, type RedisStoreSetting } from '../../model/index.ts';
import type { BackupShelf, Clock, DataStore, Integrity } from '../../ports/index.ts';
import { proveRead, takeBackup } from './backup.ts';
import { type Access, connected, describeConnection, type Link } from './connection.ts';
import { contentsOf } from './contents.ts';
import { readMark } from './mark.ts';
import { obstaclesTo } from './preflight.ts';
import { proveRestored, restoreBeside } from './restore.ts';
import { clientsIn, countKeys, serverFacts } from './server.ts';
import { finalizeSwap, nameOf, swap, swapState, undoSwap } from './swap.ts';
import type { RedisTools } from './tools.ts';

export type { Access } from './connection.ts';
export type { RedisTools } from './tools.ts';

export interface RedisStoreOptions {
  readonly stack: string;
  readonly setting: RedisStoreSetting;
  /** Where and how it is reached; asked before each act, for a way through the cluster may have to be opened. */
  readonly access: () => Promise<Access>;
  /** Where its backups are. */
  readonly shelf: BackupShelf;
  readonly clock: Clock;
  /** Redis' own programs; found, or fetched, when they are first needed. */
  readonly tools: () => Promise<RedisTools>;
}

/** One logical database of a Redis server. What is restored stands in another one of it until the two are exchanged. */
export function createRedisStore({ stack, setting, access, shelf, clock, tools }: RedisStoreOptions): DataStore {
  const live = setting.connection.database;
  const now = (): string => new Date(clock.now()).toISOString();
  const given = (signal?: AbortSignal) => (signal === undefined ? {} : { signal });
  const wholeOnly = (): BackstayError =>
    new BackstayError('STORE_UNSUPPORTED', `${setting.name}: a Redis database is taken back whole.`);

  return {
    setting,
    inspect: async () =>
      await connected(await access(), live, async (link) => {
        const { version, usedBytes } = await serverFacts(link);
        const rows = await rowsOf(link, live, live);
        return { server: describeConnection(setting.connection), version, bytes: usedBytes, rows };
      }),
    sessions: async () => await connected(await access(), live, async (link) => await clientsIn(link, live)),
    // Redis has no schema: nothing can be migrated, and nothing of it be lost.
    shape: async () => ({ tables: {}, schema: digestOf([]) }),
    integrity: async (name) => await integrityIn(await access(), live, name),
    backups: async () => await shelf.list(),
    find: async (id) => await shelf.find(id),
    backup: async ({ signal, marker, tables } = {}) => {
      signal?.throwIfAborted();
      if (tables !== undefined) throw wholeOnly();
      const named = marker === undefined ? {} : { marker };
      const request = { stack, store: setting.name, shelf, tools: await tools(), now, ...named, ...given(signal) };
      return await takeBackup(request, await access());
    },
    prove: async (backup, wanted, signal) => {
      if (isProven(backup, wanted)) return backup;
      const at = { shelf, tools: await tools(), now, ...given(signal) };
      signal?.throwIfAborted();
      // Read first, whatever was proven before: what lies on a disk may have changed since.
      const read = await proveRead(backup, at);
      return await shelf.record(backup, wanted === 'read' ? read : await proveRestored({ backup, ...at }));
    },
    obstacles: async (backup) => await obstaclesTo(backup.manifest, await access(), await tools()),
    restoreBeside: async (backup, run, signal, tables) => {
      signal?.throwIfAborted();
      if (tables !== undefined) throw wholeOnly();
      const at = { shelf, tools: await tools(), now, ...given(signal) };
      await proveRead(backup, at);
      const { keys, proof } = await restoreBeside({ backup, run, ...at }, await access());
      const database = nameOf(setting.connection.spare);
      return { backup: await shelf.record(backup, proof), database, rows: { [nameOf(live)]: keys }, proof };
    },
    swap: async (run) => await swap(await access(), run),
    undoSwap: async (run) => await undoSwap(await access(), run),
    finalize: async (run) => await finalizeSwap(await access(), run),
    stateOf: async (run) => await swapState(await access(), run),
  };
}

/** Called by the live database's name wherever it stands, so that the same data gives the same answer. */
async function integrityIn(access: Access, live: number, name: string | undefined): Promise<Integrity> {
  const index = name === undefined ? live : Number(name.replace(/^db/, ''));
  if (!Number.isInteger(index))
    throw new BackstayError('STORE_FAILED', `${name} is no logical database: they are called db0, db1 and so on`);
  return await connected(access, index, async (link) => ({
    rows: await rowsOf(link, index, live),
    contents: { [nameOf(live)]: await contentsOf(link) },
    problems: [],
    unknown: [],
  }));
}

async function rowsOf(link: Link, index: number, live: number): Promise<Readonly<Record<string, number>>> {
  const { keys } = await countKeys(link, index);
  const isMarked = index !== live && (await readMark(link)) !== undefined;
  return { [nameOf(live)]: isMarked ? keys - 1 : keys };
}
