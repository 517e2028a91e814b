import { createHash } from 'node:crypto';
import type { Alert, Json, Proposal } from '../../model/index.ts';
import type { ServiceRecord, ServiceStore } from '../../ports/index.ts';
import type { AlertState, SeenAlert } from './decide.ts';

/** What is kept of an alert; times are ISO 8601. */
export interface AlertRecord {
  readonly alert: Alert;
  readonly receivedAt: string;
  readonly resolvedAt?: string;
  readonly state: AlertState;
  readonly because?: string;
  readonly proposal?: string;
}

/** What a stack's triggers are at. One record a stack: of two services that propose at once, one is told that it was late. */
export interface Slot {
  readonly open?: string;
}

/** A record as it was read: what is written next replaces this very version. */
export interface Versioned<T> {
  readonly key: string;
  readonly version: number;
  readonly value: T;
}

/** Two that write one record at a time are rare; more rounds than this are no coincidence. */
const ROUNDS = 8;

/** Stack and time first, so that one stack's alerts are read without the others'. */
export function alertKey({ stack, groupKey, fingerprint, startsAt }: Alert): string {
  const identity = createHash('sha256')
    .update(JSON.stringify([groupKey, fingerprint, startsAt]))
    .digest('hex');
  return `${stack}/${startsAt}/${identity.slice(0, 32)}`;
}

export function stackOfAlertKey(key: string): string {
  return key.split('/', 1)[0] ?? '';
}

export function seenOf({ key, value }: Pick<Versioned<AlertRecord>, 'key' | 'value'>): SeenAlert {
  const { alert, receivedAt, resolvedAt } = value;
  return {
    key,
    alert,
    receivedAt: Date.parse(receivedAt),
    ...(resolvedAt === undefined ? {} : { resolvedAt: Date.parse(resolvedAt) }),
  };
}

type Stored = { alert: AlertRecord; proposal: Proposal; trigger: Slot };

/** Undefined when there is none. */
export async function read<K extends keyof Stored>(
  records: ServiceStore,
  kind: K,
  key: string,
): Promise<Versioned<Stored[K]> | undefined> {
  const record = await records.get(kind, key);
  return record === undefined ? undefined : versioned<K>(record);
}

export async function readAll<K extends keyof Stored>(
  records: ServiceStore,
  kind: K,
  options: Parameters<ServiceStore['list']>[1] = {},
): Promise<readonly Versioned<Stored[K]>[]> {
  return (await records.list(kind, options)).map((record) => versioned<K>(record));
}

/** `expected` 0 makes it. Undefined when somebody else was first. */
export async function write<K extends keyof Stored>(
  records: ServiceStore,
  kind: K,
  { key, version, value }: Versioned<Stored[K]>,
): Promise<Versioned<Stored[K]> | undefined> {
  const record = await records.put(kind, key, version, value as unknown as Json);
  return record === undefined ? undefined : versioned<K>(record);
}

/**
 * Changes a record whatever others write meanwhile: `change` is asked again with what they left, and answers undefined when
 * there is nothing to change any more. Returns it as it is then; undefined when there is none.
 */
export async function change<K extends keyof Stored>(
  records: ServiceStore,
  kind: K,
  key: string,
  next: (now: Stored[K]) => Stored[K] | undefined,
): Promise<Versioned<Stored[K]> | undefined> {
  for (let round = 1; round <= ROUNDS; round += 1) {
    const now = await read(records, kind, key);
    const value = now === undefined ? undefined : next(now.value);
    if (now === undefined || value === undefined) return now;
    const written = await write(records, kind, { ...now, value });
    if (written !== undefined) return written;
  }
  throw new TypeError(`${kind} ${key} was changed by others ${ROUNDS} times in a row`);
}

function versioned<K extends keyof Stored>({ key, version, value }: ServiceRecord): Versioned<Stored[K]> {
  return { key, version, value: value as unknown as Stored[K] };
}
