import type { KnownRevision, MigrationSetting, MigrationWay, SchemaRevision } from '../model/index.ts';

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
  /** All that the scripts know, what comes first standing first. */
  known(where?: MigrationPlace): Promise<readonly KnownRevision[]>;
  /** What has to be done to get to a revision; `-1` is one back, null before the first. Changes nothing. */
  wayTo(revision: string | null, where?: MigrationPlace): Promise<MigrationWay>;
  /**
   * Looks where the database is, goes the rest of the way, and looks again: taken twice it has one effect. Refused with a step
   * on the rest of the way that cannot be taken back, and where the scripts are not those that the way was made of.
   */
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

/**
 * The server of a data store as a migration adapter needs it: for tables of revisions, for scripts that lead down, and to
 * be sure that a tool inside a pod speaks of the same database. Errors: STORE_UNREACHABLE, STORE_FAILED.
 */
export interface MigrationDatabase {
  /** How tools of this machine reach it; a way through the cluster is opened first. The password goes into environments only. */
  address(where?: MigrationPlace): Promise<DatabaseAddress>;
  /** One connection, one transaction: committed when `work` ends, taken back when it throws. */
  transaction<T>(where: MigrationPlace | undefined, work: (sql: MigrationSql) => Promise<T>): Promise<T>;
  /** Ends the sessions that call themselves so in this database, and waits until they are gone. Gives their number. */
  endSessions(application: string, where?: MigrationPlace): Promise<number>;
}

export interface MigrationSql {
  /** Rows of one statement. */
  query(statement: string, values?: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

export interface DatabaseAddress {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database: string;
  readonly sslmode?: string;
  readonly sslrootcert?: string;
}
