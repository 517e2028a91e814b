import type { Digest } from './json.ts';

/**
 * What becomes of a data store whose schema is not the target's. A: it is left alone, and the application of the target has to
 * work with it. B: it is migrated. C: a backup is restored.
 */
export const SCENARIOS = ['A', 'B', 'C'] as const;
export type Scenario = (typeof SCENARIOS)[number];

/** What a plan says of one data store: which way, why, and what the others would be. Frozen with it, and so journaled. */
export interface StoreScenario {
  readonly store: string;
  readonly scenario: Scenario;
  /** In words. */
  readonly because: string;
  /** Revision of the live schema; null: none was ever applied; absent: not known. */
  readonly from?: string | null;
  /** Revision that the target ran with. */
  readonly to?: string | null;
  /** Chosen by the user or by the stack file, not by the revisions. */
  readonly forcedBy?: 'user' | 'stack';
  /** What may be lost, in words; absent: nothing. */
  readonly loses?: string;
  /** Milliseconds that its steps took in earlier runs; absent where nothing is known. */
  readonly expectedMs?: number;
  readonly others: readonly OtherScenario[];
}

export interface OtherScenario {
  readonly scenario: Scenario;
  /** Whether `--scenario` can choose it. */
  readonly possible: boolean;
  /** What it would mean, or why it cannot be taken, in words. */
  readonly says: string;
  readonly expectedMs?: number;
}

/** The user's choices about data stores; part of the plan's hash, and so journaled with who and why. */
export interface DataOptions {
  /** For all stores, or by store. */
  readonly scenario?: Scenario | Readonly<Record<string, Scenario>>;
  /** Backup to restore, by store: its id, or `latest`. */
  readonly restore?: Readonly<Record<string, string>>;
  /** Marker of backups that were taken together: every store is restored to its own. */
  readonly restoreAll?: string;
  /** Migrate without a backup, and so without a rehearsal: nothing but the scripts takes that back. */
  readonly skipBackup?: true;
  /** Digests of data-loss reports that somebody has read and agreed to; each whole, or its first 12 digits or more. */
  readonly acceptLoss?: readonly string[];
}

/** A table or column that a migration takes away, with what is in it. */
export interface LostPart {
  readonly table: string;
  /** Absent: the whole table. */
  readonly column?: string;
  /** Rows of the table, or rows with a value in the column. */
  readonly filled: number;
  /** How the column changed, where it is still there: `text → integer`. */
  readonly change?: string;
}

/** What a rehearsal saw go. */
export interface LossReport {
  readonly lost: readonly LostPart[];
  /** Rows by table that were fewer afterwards, in tables that stayed. */
  readonly fewerRows: readonly { readonly table: string; readonly before: number; readonly after: number }[];
  /**
   * Over the way and what goes with it, by name: the counts are left out, because they change while people work and what they
   * agreed to does not.
   */
  readonly digest: Digest;
}

export function isLossless({ lost, fewerRows }: Pick<LossReport, 'lost' | 'fewerRows'>): boolean {
  return lost.length === 0 && fewerRows.length === 0;
}
