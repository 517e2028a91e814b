import { BackstayError } from '../errors/index.ts';
import type { MigrationWay } from '../model/index.ts';
import type { Clock, DataStore, Migrations } from '../ports/index.ts';
import { rehearse as goOnCopy, type Rehearsed } from '../rollback/index.ts';
import { chooseStore } from './db.ts';
import { newRunId } from './rollback.ts';

export interface RehearseRequest {
  readonly stack: string;
  /** Absent: the only one that says how it is migrated. */
  readonly store?: string;
  /** Revision to go to; `-1` is one back. */
  readonly to: string;
  /** A backup to go from. @default one is taken now */
  readonly backup?: string;
  readonly signal?: AbortSignal;
}

export interface RehearseDeps {
  readonly clock: Clock;
  readonly dataStores: () => Promise<readonly DataStore[]>;
  readonly migrations: () => Promise<readonly Migrations[]>;
}

export interface RehearseResult extends Rehearsed {
  readonly store: string;
  readonly backup: string;
  readonly way: MigrationWay;
}

/**
 * What a migration would lose, told from a copy before anybody plans it: the same as the step of a run, with the same digest.
 * The live data is not touched, and the copy is gone afterwards. @throws STORE_UNKNOWN, MIGRATION_REFUSED,
 * MIGRATION_FAILED, SCHEMA_MISMATCH when the backup is of another revision, and what the store throws
 */
export async function rehearse(request: RehearseRequest, deps: RehearseDeps): Promise<RehearseResult> {
  const { stack, to, signal } = request;
  const [stores, all] = await Promise.all([deps.dataStores(), deps.migrations()]);
  const migratable = stores.filter(({ setting }) => all.some(({ store }) => store === setting.name));
  const store = chooseStore(migratable, request.store, stack);
  const { name } = store.setting;
  const migrations = all.find((one) => one.store === name);
  if (migrations === undefined) throw new BackstayError('STORE_UNKNOWN', `${name} does not say how it is migrated.`);
  const way = await migrations.wayTo(to);
  if (way.direction === 'none')
    throw new BackstayError('MIGRATION_REFUSED', `${name} is at ${to} already: there is nothing to rehearse.`);
  const given = signal === undefined ? {} : { signal };
  const backup =
    request.backup === undefined
      ? await store.backup({ ...given, schema: await migrations.current() })
      : await store.find(request.backup);
  const trial = `trial-${newRunId(deps.clock.now())}`;
  const rehearsed = await goOnCopy({ store, migrations, backup, way, trial, ...given });
  return { ...rehearsed, store: name, backup: backup.manifest.id, way };
}
