import type { MigrationSetting, MigrationWay, SchemaRevision } from '../model/index.ts';

/**
 * The schema migrations of one data store, by the tool that the stack file names. Nothing here decides whether a way may be
 * taken: that is the plan's. Errors: MIGRATION_REFUSED (unknown revision, several heads, a step that cannot be taken
 * back, a history that does not fit the scripts), MIGRATION_FAILED with what the tool wrote, EXEC_UNAVAILABLE, TOOL_MISSING, STORE_UNREACHABLE.
 */
export interface Migrations {
  /** Of the data store. */
  readonly store: string;
  readonly setting: MigrationSetting;
  current(where?: MigrationPlace): Promise<SchemaRevision>;
  /** What has to be done to get to a revision; `-1` is one back, null before the first. Changes nothing. */
  wayTo(revision: string | null, where?: MigrationPlace): Promise<MigrationWay>;
  /** Looks where the database is, goes the rest of the way, and looks again: taken twice it has one effect. */
  migrate(way: MigrationWay, options?: MigrationPlace & { readonly signal?: AbortSignal }): Promise<MigrationDone>;
}

export interface MigrationPlace {
  /** Another database of the same server: one that was restored beside the live one. */
  readonly database?: string;
}

export interface MigrationDone {
  readonly revision: SchemaRevision;
  /** What the tool wrote, secrets hidden, cut to its last 16 KiB. */
  readonly output: string;
  readonly durationMs: number;
}
