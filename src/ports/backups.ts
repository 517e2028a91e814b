import type { Backup, BackupManifest, Digest, ProofRecord } from '../model/index.ts';
import type { DamagedBackup } from './data-store.ts';

/** The backups of one data store on this machine, whatever engine wrote them. */
export interface BackupShelf {
  /** Newest first. What was cut off or is damaged is told as such. */
  list(): Promise<readonly (Backup | DamagedBackup)[]>;
  /**
   * By id; `latest` is the newest that is whole and of everything, for single tables are no state to go back to.
   * Errors: BACKUP_UNKNOWN, BACKUP_DAMAGED.
   */
  find(id: string): Promise<Backup>;
  /** `20260101-120000-3f9a2c`: of a backup, or of what is only tried; sorts by time. */
  newId(): string;
  /**
   * Makes a folder, has it filled, and writes the manifest last, so that what was cut off has none. The folder goes again
   * when `fill` fails. `proof` is the first of it. Errors: those of `fill`, and VOLUME_FULL when they tell of a full volume.
   */
  add(
    fill: (id: string, folder: string) => Promise<{ readonly manifest: BackupManifest; readonly proof: ProofRecord }>,
  ): Promise<Backup>;
  /** Adds a proof to those that were recorded. */
  record(backup: Backup, proof: ProofRecord): Promise<Backup>;
  /** Reads a file to its end, flushed to the disk first. */
  measure(file: string, signal?: AbortSignal): Promise<{ readonly bytes: number; readonly digest: Digest }>;
  /** Reads a backup's file to its end. BACKUP_DAMAGED naming it, when it is not the one that was written. */
  assertAsWritten(backup: Backup, signal?: AbortSignal): Promise<void>;
  /**
   * VOLUME_FULL for an error that tells of a full volume: which of those that these folders lie on it is, and what can be
   * freed there, in words. Any other error as it is.
   */
  ofFullVolume(error: unknown, folders: readonly string[], free: string): Promise<unknown>;
}
