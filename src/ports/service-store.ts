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
  /** API tokens, hashed. */
  'token',
  /** Who was let in to what, and who was not. */
  'decision',
] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

export interface ServiceRecord {
  readonly kind: RecordKind;
  /** Unique within its kind. Sorts as bytes. */
  readonly key: string;
  /** 1 when it is made; grows by one with every change. */
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
  /** By key, bytewise; those after `after` (not itself), which start with `prefix`, the last first with `newestFirst`. */
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
   * there already. May tell of one change twice, and of several in one go by their last state. Ends when the signal fires.
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
