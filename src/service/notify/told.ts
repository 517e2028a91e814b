import { isBackstayError } from '../../errors/index.ts';
import type { Json, NotificationPolicy } from '../../model/index.ts';
import { deliveryIn, jsonOf, keyOf, owed } from './delivery.ts';
import type { NotifyDeps } from './outbox.ts';
import { recipientsOf } from './recipients.ts';
import type { Telling } from './telling.ts';

/** Milliseconds after which a stack file that could not be used is read again. */
const AGAIN_MS = 15_000;

/**
 * Writes down what is owed, once for each channel, whoever does so first. A stack file that cannot be used just now is waited
 * for: what happened meanwhile is not lost.
 */
export async function tell(telling: Telling, deps: NotifyDeps, signal: AbortSignal): Promise<void> {
  const policy = await policyOf(telling.stack, deps, signal);
  if (policy === undefined) return;
  const { records, clock } = deps;
  const known = await records.list('delivery', { prefix: `${telling.subject}/` });
  const told = new Set(known.map((record) => deliveryIn(record).channel));
  for (const { name } of recipientsOf(policy, telling, told)) {
    await records.put('delivery', keyOf(telling, name), 0, jsonOf(owed(telling, name, clock.now())));
  }
}

/** Undefined: nobody is told anything. */
export async function policyOf(
  stack: string,
  { stack: read, clock, log }: Pick<NotifyDeps, 'stack' | 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<NotificationPolicy | undefined> {
  for (;;) {
    try {
      return (await read(stack)).notifications;
    } catch (error) {
      if (isBackstayError(error, 'STACK_UNKNOWN')) return undefined;
      if (!isBackstayError(error)) throw error;
      log({ level: 'warn', event: 'notice.waits', stack, code: error.code });
      await clock.delay(AGAIN_MS, signal);
    }
  }
}

/** How far any service came with one run. */
export interface Place {
  /** Of the last entry that was looked at: nothing up to it is told again. */
  readonly sequence?: number;
  /** Nothing more can come. */
  readonly over?: true;
}

/** Of the keys of cursors, before the run or proposal. */
export const PLACES = 'notify/';

/** By run. */
export async function places({ records }: Pick<NotifyDeps, 'records'>): Promise<ReadonlyMap<string, Place>> {
  const cursors = await records.list('cursor', { prefix: PLACES });
  return new Map(cursors.map(({ key, value }) => [key.slice(PLACES.length), value as unknown as Place]));
}

/** Another service may have come further: then its place stays. */
export async function moveTo(run: string, to: Place, { records }: Pick<NotifyDeps, 'records'>): Promise<void> {
  for (;;) {
    const cursor = await records.get('cursor', PLACES + run);
    const now = (cursor?.value ?? {}) as Place;
    const value: Place = {
      ...now,
      ...to,
      ...(to.sequence === undefined ? {} : { sequence: Math.max(now.sequence ?? 0, to.sequence) }),
    };
    const written = await records.put('cursor', PLACES + run, cursor?.version ?? 0, value as unknown as Json);
    if (written !== undefined) return;
  }
}

export const BEGINNING = 'notify';

/** Times are ISO 8601. */
export interface Beginning {
  /** What happened before is told to nobody: when the first service of this journal was started, later what is long past. */
  readonly since: string;
  /** Of a run that was asked for before, and has no place, nothing more can come. */
  readonly settledBefore?: string;
}

/** Ask where something has come to before this: what is forgotten is written down here first. */
export async function beginning({ records, clock }: Pick<NotifyDeps, 'records' | 'clock'>): Promise<Beginning> {
  const there = await records.get('cursor', BEGINNING);
  if (there !== undefined) return there.value as unknown as Beginning;
  const value = { since: new Date(clock.now()).toISOString() };
  const record = (await records.put('cursor', BEGINNING, 0, value)) ?? (await records.get('cursor', BEGINNING));
  return (record?.value ?? value) as unknown as Beginning;
}
