import { BackstayError } from '../errors/index.ts';
import type { Backup, Digest, LossReport, MigrationWay, SchemaRevision } from '../model/index.ts';
import { lossBetween, spell } from '../plan/index.ts';
import type { DataStore, Migrations } from '../ports/index.ts';

export interface RehearsalRequest {
  readonly store: DataStore;
  readonly migrations: Migrations;
  readonly backup: Backup;
  readonly way: MigrationWay;
  /** What the copy is named after; nothing else may be. */
  readonly trial: string;
  readonly signal?: AbortSignal;
}

export interface Rehearsed {
  readonly report: LossReport;
  /** Of the schema alone, before and after the way. */
  readonly before: Digest;
  readonly after: Digest;
  /** Milliseconds that the way itself took. */
  readonly migrateMs: number;
  /** What the tool wrote, secrets hidden. */
  readonly output: string;
}

/**
 * Goes a way on a copy that is restored from a backup, sees what it takes away, and drops the copy, however it ends. The live
 * data is not touched. The restore is proof `restored` of the backup. What an earlier attempt left is dropped first: a copy
 * that was migrated half or wholly is no copy any more. @throws MIGRATION_FAILED, MIGRATION_REFUSED, SCHEMA_MISMATCH, and
 * what the store throws
 */
export async function rehearse(request: RehearsalRequest): Promise<Rehearsed> {
  const { store, migrations, backup, way, trial, signal } = request;
  await store.finalize(trial);
  try {
    const { database } = await store.restoreBeside(backup, trial, signal);
    const { id, schema } = backup.manifest;
    // A tool takes a second to answer: what was asked right before the backup was taken is not asked again.
    if (schema === undefined) await requireRevision(migrations, way.from, { database, what: `backup ${id}` });
    else requireAt(schema, way.from, { store: migrations.store, what: `backup ${id}` });
    const before = await store.shape(database);
    signal?.throwIfAborted();
    const { revision, durationMs, output } = await migrations.migrate(way, {
      database,
      ...(signal === undefined ? {} : { signal }),
    });
    requireAt(revision, way.to, { store: migrations.store, what: 'the migrated copy' });
    const after = await store.shape(database);
    const ownTable = ownTableOf(migrations);
    const report = lossBetween({
      store: store.setting.name,
      way: way.digest,
      before,
      after,
      ...(ownTable === undefined ? {} : { ownTable }),
    });
    return { report, before: before.schema, after: after.schema, migrateMs: durationMs, output };
  } finally {
    await store.finalize(trial);
  }
}

/** Whether a schema stands at this revision and at nothing else. */
export function standsAt({ revision, heads }: SchemaRevision, wanted: string | null): boolean {
  return revision === wanted && heads.length <= 1;
}

/** @throws SCHEMA_MISMATCH */
export async function requireRevision(
  migrations: Migrations,
  wanted: string | null,
  { database, what }: { readonly database?: string; readonly what: string },
): Promise<void> {
  const found = await migrations.current(database === undefined ? {} : { database });
  requireAt(found, wanted, { store: migrations.store, what });
}

/** @throws SCHEMA_MISMATCH */
export function requireAt(
  found: SchemaRevision,
  wanted: string | null,
  { store, what }: { readonly store: string; readonly what: string },
): void {
  if (standsAt(found, wanted)) return;
  throw new BackstayError(
    'SCHEMA_MISMATCH',
    `the schema of ${what} is at ${spell(found)}, not at ${spell({ revision: wanted })}`,
    { details: { store, expected: wanted, found: found.heads } },
  );
}

const OWN_TABLES = { alembic: 'alembic_version', flyway: 'flyway_schema_history', table: 'schema_migrations' } as const;

function ownTableOf({ setting: { tool, table } }: Migrations): string | undefined {
  return table ?? (tool === 'command' ? undefined : OWN_TABLES[tool]);
}
