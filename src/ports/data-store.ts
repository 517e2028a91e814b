import type {
  Backup,
  BaseBackup,
  DataStoreSetting,
  Digest,
  Merged,
  MergeReport,
  ProofRecord,
  RecoveryTarget,
  RecoveryWindow,
  SchemaRevision,
  StoreShape,
  TableContents,
} from '../model/index.ts';

/**
 * One database of a stack. Nothing that removes or replaces data happens before a backup was proven by a restore, and
 * what is replaced stays beside until it is finalized. Every act can be repeated: it looks at the server first.
 * Errors: STORE_UNREACHABLE, STORE_FAILED, STORE_FENCED, BACKUP_DAMAGED, BACKUP_UNKNOWN, BACKUP_UNPROVEN, TOOL_MISSING.
 */
export interface DataStore {
  readonly setting: DataStoreSetting;
  inspect(): Promise<StoreInspection>;
  /** Other clients that are connected now, Backstay's own connections left out. */
  sessions(): Promise<readonly StoreSession[]>;
  /** Tables, columns and how full they are; of another database of the server than the live one where it is named. */
  shape(database?: string): Promise<StoreShape>;
  /** More than counts: whether what is there fits together. Of another database than the live one where it is named. */
  integrity(database?: string): Promise<Integrity>;
  /** Newest first. Damaged ones are reported as such, not hidden. */
  backups(): Promise<readonly (Backup | DamagedBackup)[]>;
  /** By id; `latest` is the newest that is whole. */
  find(id: string): Promise<Backup>;
  /** Takes one and reads it back: its first proof is `read`. */
  backup(options?: BackupOptions): Promise<Backup>;
  /** Proves it at least so far, unless it was already. `restored` restores it beside the live data and drops that again. */
  prove(backup: Backup, wanted: 'read' | 'restored', signal?: AbortSignal): Promise<Backup>;
  /** Everything that would keep a restore or an exchange from its end, in words; asked before anything is paused. */
  obstacles(backup: Backup, tables?: readonly string[]): Promise<readonly string[]>;
  /**
   * Restores beside the live data, for `swap`; proves `restored` on the way. With `tables`, and from a backup of single tables,
   * only their rows: the exchange leaves everything else as it is. Not every engine has that; one that has not refuses.
   */
  restoreBeside(backup: Backup, run: string, signal?: AbortSignal, tables?: readonly string[]): Promise<RestoredBeside>;
  /** Makes what stands beside the live data. Only after `restoreBeside` of the same run. */
  swap(run: string): Promise<Swapped>;
  undoSwap(run: string): Promise<Swapped>;
  /** Removes what was kept for undoing, and what was left beside. Gives their names. */
  finalize(run: string): Promise<readonly string[]>;
  /** Where a run's swap stands, by the names on the server. */
  stateOf(run: string): Promise<SwapState>;
  /**
   * What would keep it from being restored in place, and what that leaves; changes nothing. Absent, as the one below: the engine
   * has no restore that is one transaction.
   */
  lookInPlace?(backup: Backup): Promise<InPlaceLook>;
  /**
   * Restores over the live data, in one transaction: ended at any moment it has done nothing. What was live is then only in
   * `wayBack`, to which `undoSwap` of the run goes. Taken twice it has one effect; `stateOf` says `swapped` when it has.
   */
  restoreInPlace?(backup: Backup, run: string, wayBack: Backup, signal?: AbortSignal): Promise<Swapped>;
  /** From when to when `backupAt` can go. Absent, as the two below: the stack file names no archive, or the engine has none. */
  windows?(): Promise<readonly RecoveryWindow[]>;
  /** Takes a copy of the whole server, from which one can go forward to later moments. */
  takeBase?(signal?: AbortSignal): Promise<BaseBackup>;
  /** An ordinary backup of a moment of the past, recovered on this machine; the server is not touched. */
  backupAt?(target: RecoveryTarget, options?: BackupAtOptions): Promise<Backup>;
  /**
   * What live data has that the backup has not, row by row: restored beside, compared, dropped again. Absent, as the one
   * below: the engine has no rows with keys.
   */
  newRows?(backup: Backup, signal?: AbortSignal): Promise<MergeReport>;
  /**
   * Takes new rows over into what this run restored beside, before the exchange, and sets aside what changed; all of it or
   * nothing. Refused where they are not those of the report with that digest (PLAN_STALE).
   */
  keepNewRows?(run: string, report: Digest, signal?: AbortSignal): Promise<Merged>;
}

export interface InPlaceLook {
  readonly obstacles: readonly string[];
  /** Tables that the backup does not hold, and that stay as they are. */
  readonly stays: readonly string[];
  /** How far a backup of now can be proven on this server: `read` where no second database may be made. */
  readonly wayBack: 'read' | 'restored';
}

export interface BackupAtOptions {
  readonly signal?: AbortSignal;
  /** Prove it as a server that takes writes as well. */
  readonly promote?: boolean;
}

export interface BackupOptions {
  readonly signal?: AbortSignal;
  /** Written into the manifest: backups of several stores that belong together carry the same. */
  readonly marker?: string;
  /** Revision of its schema as it was asked right before; written into the manifest. */
  readonly schema?: SchemaRevision;
  /** Only these tables. Absent: everything. */
  readonly tables?: readonly string[];
}

export interface StoreSession {
  /** As it calls itself; empty where it does not. */
  readonly application: string;
  readonly user: string;
  /** Where it comes from; empty for a local one. */
  readonly address: string;
  /** Whether it is in the middle of something, and for how many milliseconds. */
  readonly busyMs?: number;
}

export interface Integrity {
  /** Rows by table, nodes by label, keys by database. */
  readonly rows: Readonly<Record<string, number>>;
  /** Digest of the contents by table, of all of it or of a sample of it (`sampled`). */
  readonly contents: Readonly<Record<string, TableContents>>;
  /** What does not fit together, in words; empty: everything that was asked fits. */
  readonly problems: readonly string[];
  /** What could not be asked, in words: rights or extensions that are missing. Not asked never counts as fitting. */
  readonly unknown: readonly string[];
}

export interface StoreInspection {
  /** `ada@db.example:5432/app`; never a password. */
  readonly server: string;
  readonly version: string;
  readonly bytes: number;
  readonly rows: Readonly<Record<string, number>>;
}

export interface RestoredBeside {
  readonly backup: Backup;
  readonly database: string;
  readonly rows: Readonly<Record<string, number>>;
  readonly proof: ProofRecord;
  /** Milliseconds of the restore itself, the proving after it left out. Absent: it was there already, or nobody told. */
  readonly loadMs?: number;
}

export interface Swapped {
  /** What is kept until finalized. */
  readonly kept: string;
  /** Milliseconds during which the database could not be reached. */
  readonly unavailableMs: number;
}

/** `before`: restored beside and not swapped yet. `nothing`: this run has nothing here. */
export type SwapState = 'nothing' | 'before' | 'swapped' | 'undone';

export interface DamagedBackup {
  readonly damaged: string;
  readonly folder: string;
}
