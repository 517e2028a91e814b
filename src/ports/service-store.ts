import type { Json } from '../model/index.ts';

/**
 * What a service keeps beside the journal of runs, in the same database: alerts it has seen, proposals, deliveries that are
 * still owed, answers to repeated requests, claims of several machines. One shape for all of them, so that what is kept is
 * decided in service/ and not in each adapter.
 */
export const RECORD_KINDS = [
  /** Alerts by group key, fingerprint and start. */
  'alert',
  /** Rollbacks that a trigger asks for and nobody has decided about, and those that were decided. */
  'proposal',
  /** What the triggers of each stack are at: the proposal that is open. One at a time. */
  'trigger',
  /** Plans that were made for somebody, by their hash. */
  'plan',
  /** The outbox: one for each event and channel. */
  'delivery',
  /** Where each reader of the journal has come to. */
  'cursor',
  /** Answers by caller and Idempotency-Key. */
  'idempotency',
  /** Which service carries which run, until when. */
  'claim',
  /** A run that a person asked to stop, for whichever service carries it. */
  'cancel',
  /** When a schedule last fired. */
  'schedule',
  /** What routes measured while the stack was well. */
  'baseline',
  /** Proofs of backups that somebody asked for, and how they ended. */
  'drill',
  /** API tokens, hashed. */
  'token',
  /** Who was let in to what, and who was not. */
  'decision',
] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

export interface ServiceRecord {
  readonly kind: RecordKind;
  /** Unique within its kind; 1 to 1000 bytes of UTF-8, by which it sorts. What may be longer is named by its digest. */
  readonly key: string;
  /**
   * 1 when it is made; grows by one with every change. A key that was removed and is made again goes on where it was, so that
   * nobody takes the new record for the one that they saw; after a day, or ten thousand changes, it may begin anew.
   */
  readonly version: number;
  readonly value: Json;
  /** ISO 8601, of its last change, by the store's own clock. */
  readonly at: string;
}

/**
 * Small documents with versions. Durable before a write returns. Errors: where the store is a server JOURNAL_UNREACHABLE;
 * JOURNAL_BROKEN for what cannot be read.
 */
export interface ServiceStore {
  get(kind: RecordKind, key: string): Promise<ServiceRecord | undefined>;
  /**
   * Writes if the record still is as it was seen: `expected` 0 makes it, any other is the version that it replaces. Undefined
   * when somebody else was first; of two writers who saw the same one, exactly one is told so.
   */
  put(kind: RecordKind, key: string, expected: number, value: Json): Promise<ServiceRecord | undefined>;
  /** Whether it was there, in the version given (0: in any). */
  remove(kind: RecordKind, key: string, expected: number): Promise<boolean>;
  /**
   * By key, bytewise, the last first with `newestFirst`; those which start with `prefix` and come after `after` (not itself)
   * in that order.
   */
  list(
    kind: RecordKind,
    options?: {
      readonly prefix?: string;
      readonly after?: string;
      readonly limit?: number;
      readonly newestFirst?: boolean;
    },
  ): Promise<readonly ServiceRecord[]>;
  /**
   * Tells of records of this kind as they are written or removed, by whatever process or machine; first of nothing that is
   * there already when this is called (of all of it, where a lost connection hid what was there). May tell of one change
   * twice, and of several in one go by their last state. Ends when the signal fires, or the store is closed; a server that is
   * away is waited for until then.
   */
  follow(
    kind: RecordKind,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly key: string; readonly record?: ServiceRecord }>;
  /**
   * Tells when runs of any stack may have new entries, by whatever process: the run where the store knows it. Begins with one
   * tick, so that a reader that looks then misses nothing. Ends when the signal fires.
   */
  changes(signal: AbortSignal): AsyncIterable<{ readonly run?: string }>;
  close(): Promise<void>;
}
