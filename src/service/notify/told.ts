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

/** How far one reader has come with one run or proposal. */
export interface Place {
  /** Of the last entry that was looked at: nothing up to it is told again. */
  readonly sequence?: number;
  /** Nothing more can come. */
  readonly over?: true;
  /** States of a proposal that were told. */
  readonly told?: readonly string[];
}

const PREFIX = 'notify/';

/** By subject. */
export async function places({ records }: Pick<NotifyDeps, 'records'>): Promise<ReadonlyMap<string, Place>> {
  const cursors = await records.list('cursor', { prefix: PREFIX });
  return new Map(cursors.map(({ key, value }) => [key.slice(PREFIX.length), value as unknown as Place]));
}

export async function placeOf(subject: string, { records }: Pick<NotifyDeps, 'records'>): Promise<Place> {
  const cursor = await records.get('cursor', PREFIX + subject);
  return (cursor?.value ?? {}) as Place;
}

/** Another service may have come further: then its place stays. */
export async function moveTo(subject: string, to: Place, { records }: Pick<NotifyDeps, 'records'>): Promise<void> {
  for (;;) {
    const cursor = await records.get('cursor', PREFIX + subject);
    const now = (cursor?.value ?? {}) as Place;
    const value: Place = {
      ...now,
      ...to,
      ...(to.sequence === undefined ? {} : { sequence: Math.max(now.sequence ?? 0, to.sequence) }),
      ...(to.told === undefined ? {} : { told: [...new Set([...(now.told ?? []), ...to.told])] }),
    };
    const written = await records.put('cursor', PREFIX + subject, cursor?.version ?? 0, value as unknown as Json);
    if (written !== undefined) return;
  }
}

/** ISO 8601: what happened before the first service of this journal was started is told to nobody. */
export async function beginning({ records, clock }: Pick<NotifyDeps, 'records' | 'clock'>): Promise<string> {
  const value = { since: new Date(clock.now()).toISOString() };
  const record = (await records.put('cursor', 'notify', 0, value)) ?? (await records.get('cursor', 'notify'));
  return ((record?.value ?? value) as typeof value).since;
}
