import { BackstayError } from '../errors/index.ts';
import type { KnownRevision, MigrationSetting, MigrationWay, SchemaRevision } from '../model/index.ts';
import type { Migrations } from '../ports/index.ts';

export interface MigratedStore {
  readonly store: string;
  readonly tool: MigrationSetting['tool'];
  /** Where its tool runs: a folder of this machine, or a workload. */
  readonly runs: string;
  readonly current?: SchemaRevision;
  /** What comes first stands first. */
  readonly known?: readonly KnownRevision[];
  /** Known revisions that no other stands on: where `up` would lead. */
  readonly newest?: readonly string[];
  /** To the revision that was asked for. */
  readonly way?: MigrationWay;
  /** Why nothing can be told. */
  readonly failure?: string;
}

/** What a person writes for the state before the first revision. */
const BASE = 'base';

/** Where each schema stands, and what there is. One that cannot be asked is listed as such. Changes nothing. */
export async function listMigrations(all: readonly Migrations[]): Promise<readonly MigratedStore[]> {
  return await Promise.all(
    all.map(async (migrations): Promise<MigratedStore> => {
      try {
        return { ...named(migrations), ...(await lookAt(migrations)) };
      } catch (error) {
        return { ...named(migrations), failure: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
}

/** As `listMigrations`, with the way to a revision. Errors: those of the port. */
export async function showWay(migrations: Migrations, to: string): Promise<MigratedStore> {
  const way = await migrations.wayTo(to === BASE ? null : to);
  return { ...named(migrations), ...(await lookAt(migrations)), way };
}

/** @throws STORE_UNKNOWN telling which stores have migrations */
export function chooseMigrations(all: readonly Migrations[], name: string | undefined, stack: string): Migrations {
  const [only] = all;
  if (name === undefined && all.length === 1 && only !== undefined) return only;
  const found = all.find(({ store }) => store === name);
  if (found !== undefined) return found;
  const names = all.map(({ store }) => store).join(', ');
  throw new BackstayError(
    'STORE_UNKNOWN',
    all.length === 0
      ? `No store of ${stack} declares how its schema is migrated.`
      : `${name === undefined ? `Several stores of ${stack} are migrated` : `${stack} migrates no store ${name}`}: ${names}.`,
    { next: all.length === 0 ? 'Declare it in the stack file (`migrations` of a store).' : 'Name one of them.' },
  );
}

function named({ store, setting: { tool, runs } }: Migrations): Pick<MigratedStore, 'store' | 'tool' | 'runs'> {
  return { store, tool, runs: runs.kind === 'local' ? runs.folder : `inside ${runs.workload}` };
}

async function lookAt(migrations: Migrations): Promise<Pick<MigratedStore, 'current' | 'known' | 'newest'>> {
  const current = await migrations.current();
  const known = await migrations.known();
  const under = new Set(known.flatMap(({ after }) => after));
  return { current, known, newest: known.map(({ revision }) => revision).filter((one) => !under.has(one)) };
}
