import type {
  Digest,
  Hold,
  KubeObject,
  ObjectKey,
  Removal,
  Sighting,
  Snapshot,
  SnapshotContent,
  SnapshotRecord,
} from '../model/index.ts';

/** Values of one Secret: data key to base64 text, as in the API. */
export type SecretValues = ReadonlyMap<ObjectKey, Readonly<Record<string, string>>>;

/**
 * Content-addressed and append-only. What it returns has been verified: digest of every blob, signature of the record.
 * Errors: TARGET_UNKNOWN, TARGET_AMBIGUOUS, SNAPSHOT_TAMPERED (path named), SNAPSHOT_FORMAT, SNAPSHOT_UNSIGNED,
 * SNAPSHOT_REMOVED, SECRETS_UNREADABLE, KEY_MISSING; where a server keeps them, SNAPSHOTS_UNREACHABLE.
 */
export interface SnapshotStore {
  /** Stores and signs; returns the existing id when the content is already there (with one more record). */
  put(stack: string, entry: NewSnapshot): Promise<Sighting>;
  /** Newest first. Damaged entries are reported as such, not hidden. */
  list(stack: string): Promise<readonly (Sighting | DamagedEntry)[]>;
  /**
   * Id (4 or more hex digits, with or without `sha256:`), label, `previous`, `known-good`. `previous` counts from `live`
   * (the id of what is live now) when it is given, else from the newest sighting of the live stack.
   */
  resolve(
    stack: string,
    target: string,
    options?: { readonly allowUnsigned?: boolean; readonly live?: Digest },
  ): Promise<Snapshot>;
  get(stack: string, id: Digest, options?: { readonly allowUnsigned?: boolean }): Promise<Snapshot>;
  /** Decrypts the Secret values of a snapshot. */
  secrets(stack: string, snapshot: Snapshot): Promise<SecretValues>;
  /**
   * Stores one more signed record (reason `relabel`) about a content that is there already. `labels` replaces the labels
   * in force; `held: null` lets a person release a held version; what is left out stays as it is.
   */
  annotate(stack: string, id: Digest, change: Annotation): Promise<Sighting>;
  /** Everything of a stack (or one snapshot) read and checked again. */
  verify(stack: string, id?: Digest): Promise<readonly VerifyFinding[]>;
  /**
   * Takes the content of a snapshot and its secrets away, for good; its records stay, and one more (reason `removal`) says
   * why. `get` and `resolve` then throw SNAPSHOT_REMOVED, `verify` calls it no damage. Again: does what is left. Storing
   * the same content once more brings it back.
   */
  prune(stack: string, id: Digest, why: Removal): Promise<Pruned>;
  /** Bytes of each content with its secrets, as they are stored; 0 for what was removed. */
  sizes(stack: string): Promise<ReadonlyMap<Digest, number>>;
  /** Proves that signing, encrypting, decrypting (given a snapshot) and comparing keys are at hand. Throws KEY_MISSING. */
  proveKeys(stack: string, snapshot?: Snapshot): Promise<void>;
}

export interface NewSnapshot {
  readonly content: SnapshotContent;
  readonly secrets: SecretValues;
  readonly record: Omit<SnapshotRecord, 'apiVersion' | 'kind' | 'id' | 'stack' | 'secrets' | 'by'>;
  /** For imports from people without the key. @default true */
  readonly sign?: boolean;
}

export interface Annotation {
  readonly labels?: readonly string[];
  readonly held?: Hold | null;
  readonly note?: string;
}

export interface Pruned {
  /** False: it had been removed before, wholly. */
  readonly changed: boolean;
  /** Bytes that are free now. */
  readonly bytes: number;
}

export interface DamagedEntry {
  readonly damaged: string;
  readonly path: string;
}

export interface VerifyFinding {
  readonly path: string;
  readonly ok: boolean;
  readonly message: string;
}

/** Turns real Secret objects into hashed ones for content and comparison, and back. Keyed by the stack's comparison key. */
export interface SecretHasher {
  /** Replaces `data` values by `hmac-sha256:KEYID:HEX` and returns the real values beside it. Other kinds pass through. */
  hide(objects: readonly KubeObject[]): { readonly objects: readonly KubeObject[]; readonly secrets: SecretValues };
  /** Puts real values back in place of hashes. Throws SECRETS_UNREADABLE when one is missing. */
  reveal(objects: readonly KubeObject[], secrets: SecretValues): readonly KubeObject[];
}
