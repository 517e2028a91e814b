import { digestOf } from './digest.ts';
import type { Digest } from './json.ts';
import { keyOf, type KubeObject, type ObjectKey } from './object.ts';
import type { SchemaRevision } from './migration.ts';
import type { CheckResult, Verdict } from './verdict.ts';

/**
 * What a stack was, and nothing about when or by whom it was looked at: two captures of an unchanged stack have the same
 * content and therefore the same id. Objects are in captured form (model/captured.ts), sorted by key; every value of a
 * Secret's `data` is a keyed hash (`hmac-sha256:KEYID:HEX`), the real values being in the secrets blob.
 */
export interface SnapshotContent {
  readonly apiVersion: 'backstay.dev/v1';
  readonly kind: 'SnapshotContent';
  readonly stack: string;
  /** UID of the kube-system namespace: the cluster's identity. Absent only for imported manifests. */
  readonly clusterUid?: string;
  readonly namespaces: readonly string[];
  readonly objects: readonly KubeObject[];
  readonly flags: readonly FlagValue[];
  readonly images: readonly ImageRecord[];
  /**
   * Of the data stores that say how they are migrated, as far as they could be asked. Absent where there is none, so that
   * contents from before stores had schemas keep their ids.
   */
  readonly schemas?: readonly SchemaRevision[];
}

/** A feature flag as it was resolved, and where the value stands. */
export interface FlagValue {
  readonly name: string;
  readonly value: string | null;
  readonly source: string;
}

export interface ImageRecord {
  readonly workload: ObjectKey;
  readonly container: string;
  readonly image: string;
  /** `sha256:…` as the nodes reported it, where they did. */
  readonly digest?: string;
}

/**
 * One sighting of a content: who saw it, when, with which verdict. Signed. Several records may name one content.
 * The digest of the record's canonical JSON is what is signed and what the index lists.
 */
export interface SnapshotRecord {
  readonly apiVersion: 'backstay.dev/v1';
  readonly kind: 'SnapshotRecord';
  /** Digest of the canonical JSON of the content: the snapshot's id. */
  readonly id: Digest;
  readonly stack: string;
  readonly capturedAt: string;
  readonly reason: SnapshotReason;
  readonly labels: readonly string[];
  readonly note?: string;
  readonly by: { readonly user: string; readonly host: string; readonly version: string };
  readonly serverVersion?: string;
  /**
   * Digests by image name, as far as the nodes reported them. Of the sighting, not of the content: a pod that has not
   * reported yet must not give an unchanged stack another id.
   */
  readonly imageDigests?: Readonly<Record<string, string>>;
  /** age file with the Secret values; digest of the encrypted bytes. Absent when the content has no Secrets. */
  readonly secrets?: { readonly blob: Digest; readonly recipients: readonly string[]; readonly comparisonKey: string };
  readonly checks: readonly CheckResult[];
  /** pass makes it known good, unless `held`. */
  readonly verdict: Verdict;
  /** Of a `removal`: the content and its secrets were taken away on purpose. The records stay. */
  readonly removed?: Removal;
  /** Set on the version that was rolled back from: never known good again without a person. */
  readonly held?: {
    readonly run: string;
    readonly reason: string;
    /** By what the version is known again in a later capture; absent: by the snapshot's id alone. */
    readonly version?: HeldVersion;
  };
}

/** A version that failed, as far as it can be told from the one that was gone back to. */
export interface HeldVersion {
  /** Image by `group/Kind/namespace/name container`. */
  readonly images: Readonly<Record<string, string>>;
  readonly flags: Readonly<Record<string, string | null>>;
  /** By image name, as far as nodes reported them. */
  readonly digests: Readonly<Record<string, string>>;
  /** Digest over the values of ConfigMaps and Secrets, only where images and flags alone do not tell. */
  readonly config?: Digest;
}

export interface Removal {
  /** `finalized`: a person closed the way back that needed it; `retention`: its time had passed. */
  readonly because: 'finalized' | 'retention';
  /** The run that it was kept for. */
  readonly run?: string;
}

export type SnapshotReason = 'capture' | 'before-run' | 'after-run' | 'import' | 'revision' | 'relabel' | 'removal';

/** A record as the store returns it, with what the signature said. */
export interface Sighting {
  readonly record: SnapshotRecord;
  readonly recordDigest: Digest;
  readonly signature: SignatureState;
}

export type SignatureState =
  | { readonly state: 'trusted'; readonly key: string }
  | { readonly state: 'untrusted'; readonly key: string }
  | { readonly state: 'unsigned' };

/** A verified content with the newest of its sightings. */
export interface Snapshot {
  readonly id: Digest;
  readonly content: SnapshotContent;
  readonly sighting: Sighting;
}

/** First 12 hex digits, what people see and type. */
export function shortId(id: Digest): string {
  return id.slice('sha256:'.length, 'sha256:'.length + 12);
}

export function isKnownGood(record: Pick<SnapshotRecord, 'verdict' | 'held'>): boolean {
  return record.verdict === 'pass' && record.held === undefined;
}

/** The content with everything whose order means nothing in a fixed order, so that equal stacks have equal ids. */
export function orderedContent(content: SnapshotContent): SnapshotContent {
  return {
    ...content,
    objects: sorted(content.objects, keyOf),
    flags: sorted(content.flags, (flag) => flag.name),
    images: sorted(content.images, (image) => `${image.workload} ${image.container}`),
    ...(content.schemas === undefined ? {} : { schemas: sorted(content.schemas, ({ store }) => store) }),
  };
}

/** A content's id, whatever order its parts are in. */
export function contentId(content: SnapshotContent): Digest {
  return digestOf(orderedContent(content));
}

/** By UTF-16 code units, as canonical JSON sorts keys: the same in every locale. */
function sorted<T>(items: readonly T[], key: (item: T) => string): T[] {
  return items.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}
