import type { KnownRevision, MigrationSetting, MigrationWay } from '../../model/index.ts';
import type { MigrationDatabase, MigrationPlace } from '../../ports/index.ts';
import type { Runner } from './runner.ts';

/** What differs from one migration tool to the next. What is the same (twice is once, what was planned is done) is in index.ts. */
export interface MigrationTool {
  /** Revisions that nothing applied stands upon; empty: none was ever applied. */
  heads(where: MigrationPlace): Promise<readonly string[]>;
  known(where: MigrationPlace): Promise<readonly KnownRevision[]>;
  way(to: string | null, where: MigrationPlace): Promise<MigrationWay>;
  /** Goes all of a way that begins where the database is. Gives what the tool wrote. */
  go(way: MigrationWay, where: MigrationPlace, signal?: AbortSignal): Promise<string>;
}

export interface ToolParts {
  readonly setting: MigrationSetting;
  readonly runner: Runner;
  readonly database: MigrationDatabase;
}

/** What the sessions of migrations call themselves, to be found again when their starter was killed. */
export const APPLICATION = 'backstay-migrate';

/** Milliseconds that a statement of a migration waits for a lock: longer, and whoever queues behind it waits as well. */
export const LOCK_TIMEOUT_MS = 2_000;

/** As libpq takes startup options: no RESET within a migration can lift them. */
export const SERVER_OPTIONS = `-c lock_timeout=${LOCK_TIMEOUT_MS}`;

/** Milliseconds for a question to a tool: some load a whole application first. */
export const ASK_MS = 120_000;
/** Milliseconds for a migration. */
export const MIGRATE_MS = 60 * 60_000;
