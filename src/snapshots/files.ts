import type { Digest } from '../model/index.ts';
import type { IndexEntry, SnapshotIndex } from './snapshot-index.ts';

/**
 * What keeps the files of one stack's snapshots: a folder, or a table. It is not trusted: whatever it gives is checked
 * against its name before anybody sees it.
 */
export interface SnapshotFiles {
  /** Where a file is found, for messages. */
  path(digest: Digest): string;
  /** Undefined when it is not there. @throws SNAPSHOT_TAMPERED for what is there and cannot be read */
  read(digest: Digest): Promise<Buffer | undefined>;
  /** Whole or not at all, durable before it returns; replaces what is there under this name. */
  write(digest: Digest, bytes: string | Uint8Array): Promise<void>;
  /** Bytes of a file; undefined when it is not there. */
  size(digest: Digest): Promise<number | undefined>;
  /** Takes a file away, durably. One that is not there is none of its business. */
  remove(digest: Digest): Promise<void>;
  list(): Promise<readonly Digest[]>;
  /** What the index says, which only saves opening files: it may know less than there is. @throws SNAPSHOT_FORMAT */
  index(): Promise<SnapshotIndex>;
  /** Adds a record that was just written to the index. */
  enter(entry: IndexEntry): Promise<void>;
  /** Removes what killed writers left. `now` in milliseconds since the epoch. */
  sweep(now: number): Promise<void>;
}
