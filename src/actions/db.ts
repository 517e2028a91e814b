import { BackstayError, didYouMean } from '../errors/index.ts';
import {
  type Backup,
  isProven,
  isTakenTogether,
  markerOf,
  type Proof,
  provenTo,
  type SchemaRevision,
} from '../model/index.ts';
import type { DamagedBackup, DataStore, StoreInspection } from '../ports/index.ts';
import { type ListedPast, pastOf } from './db-past.ts';

export interface ListedBackup {
  readonly id: string;
  readonly takenAt: string;
  readonly bytes: number;
  readonly rows: number;
  readonly tables: number;
  readonly server: string;
  readonly proof?: Proof;
  /** Common to the backups that were taken together. */
  readonly marker?: string;
  readonly folder: string;
}

export interface ListedStore extends ListedPast {
  readonly name: string;
  readonly kind: string;
  /** Absent when it could not be reached; `problem` says why. */
  readonly live?: StoreInspection;
  readonly problem?: string;
  readonly backups: readonly (ListedBackup | DamagedBackup)[];
}

/** What there is: each store as it is now, and its backups. One that cannot be reached is listed as such. */
export async function listStores(stores: readonly DataStore[]): Promise<readonly ListedStore[]> {
  return await Promise.all(
    stores.map(async (store) => {
      const [live, backups, past] = await Promise.all([lookAt(store), store.backups(), pastOf(store)]);
      const { name, kind } = store.setting;
      return { name, kind, ...live, ...past, backups: backups.map((one) => ('damaged' in one ? one : listed(one))) };
    }),
  );
}

async function lookAt(store: DataStore): Promise<Pick<ListedStore, 'live' | 'problem'>> {
  try {
    return { live: await store.inspect() };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

export function listed(backup: Backup): ListedBackup {
  const { manifest, folder } = backup;
  const proof = provenTo(backup);
  const counts = Object.values(manifest.rows);
  return {
    id: manifest.id,
    takenAt: manifest.takenAt,
    bytes: manifest.file.bytes,
    rows: counts.reduce((sum, count) => sum + count, 0),
    tables: counts.length,
    server: manifest.server.version,
    ...(proof === undefined ? {} : { proof }),
    ...(isTakenTogether(manifest) && manifest.marker !== undefined ? { marker: manifest.marker } : {}),
    folder,
  };
}

/** The store of that name; the only one needs no name. @throws STORE_UNKNOWN */
export function chooseStore(stores: readonly DataStore[], name: string | undefined, stack: string): DataStore {
  const names = stores.map(({ setting }) => setting.name);
  const [only] = stores;
  if (name === undefined && stores.length === 1 && only !== undefined) return only;
  const found = stores.find(({ setting }) => setting.name === name);
  if (found !== undefined) return found;
  if (names.length === 0)
    throw new BackstayError('STORE_UNKNOWN', `The stack ${stack} declares no data store.`, {
      next: 'Declare it in the stack file under `backstay:stores`.',
    });
  const which = name === undefined ? `has several data stores` : `has no data store ${name}`;
  const guess = name === undefined ? undefined : didYouMean(name, names);
  throw new BackstayError('STORE_UNKNOWN', `The stack ${stack} ${which}: ${names.join(', ')}.`, {
    next: guess === undefined ? 'Name one of them.' : `Did you mean ${guess}?`,
  });
}

/**
 * By store the backup that was taken with the others under this marker. @throws BACKUP_UNKNOWN naming the stores that have no
 * whole one, STORE_UNKNOWN where the stack declares none
 */
export async function backupsMarked(
  stores: readonly DataStore[],
  said: string,
  stack: string,
): Promise<Readonly<Record<string, string>>> {
  const marker = markerOf(said);
  if (stores.length === 0) chooseStore(stores, undefined, stack);
  const found = await Promise.all(
    stores.map(async (store) => {
      const backups = (await store.backups()).filter((one): one is Backup => !('damaged' in one));
      return [store.setting.name, backups.find(({ manifest }) => manifest.marker === marker)?.manifest.id] as const;
    }),
  );
  const missing = found.filter(([, id]) => id === undefined).map(([name]) => name);
  if (missing.length === 0)
    return Object.fromEntries(found.flatMap(([name, id]) => (id === undefined ? [] : [[name, id]])));
  throw new BackstayError(
    'BACKUP_UNKNOWN',
    `${missing.join(', ')}: there is no whole backup with the marker ${marker}.`,
    {
      next: `Choose one of \`backstay db list ${stack}\`, or restore the stores one by one.`,
      details: { marker, missing },
    },
  );
}

/** @throws STORE_REFUSED for single tables of an engine that has none, or takes them back as a whole only */
export function requireTables({ setting }: DataStore, tables: readonly string[] | undefined): void {
  if (tables === undefined || setting.kind === 'postgres') return;
  throw new BackstayError('STORE_REFUSED', `${setting.name} is of kind ${setting.kind}: it goes as a whole.`, {
    next: 'Leave --tables out.',
  });
}

export interface TakenBackup {
  readonly backup: Backup;
  /** Restored beside the live data and counted, unless it was asked not to. */
  readonly proven: Proof;
}

/** Takes a backup and proves it. What cannot be restored is no backup, so that is the default. */
export async function backUp(
  store: DataStore,
  options: {
    readonly prove: 'read' | 'restored';
    /** Written into its manifest, so that it is known later which version it fits. */
    readonly schema?: SchemaRevision;
    /** Only these tables, `documents` or `audit.events`. */
    readonly tables?: readonly string[];
    readonly signal?: AbortSignal;
  },
): Promise<TakenBackup> {
  const { signal, schema, tables } = options;
  requireTables(store, tables);
  const taken = await store.backup({
    ...(tables === undefined ? {} : { tables }),
    ...(signal === undefined ? {} : { signal }),
    ...(schema === undefined ? {} : { schema }),
  });
  const backup = await store.prove(taken, options.prove, options.signal);
  return { backup, proven: provenTo(backup) ?? 'listed' };
}

export interface VerifiedBackup {
  readonly backup: Backup;
  readonly proven: Proof;
  /** Whether it had been proven so far before, and was only read again. */
  readonly again: boolean;
}

/** Reads a backup again whatever was proven before, and goes on to the proof that is wanted. Errors: as the store. */
export async function verifyBackup(
  store: DataStore,
  id: string,
  wanted: 'read' | 'restored',
  signal?: AbortSignal,
): Promise<VerifiedBackup> {
  const found = await store.find(id);
  const again = isProven(found, wanted);
  // What was true when it was written need not be true any more: proofs of earlier days do not count here.
  const backup = await store.prove({ ...found, proofs: [] }, wanted, signal);
  return { backup, proven: provenTo(backup) ?? 'listed', again };
}
