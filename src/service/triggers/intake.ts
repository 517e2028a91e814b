import type { Alert, Stack, TriggerPolicy } from '../../model/index.ts';
import type { Clock, ServiceStore } from '../../ports/index.ts';
import { refusalOf } from './decide.ts';
import { type AlertRecord, alertKey, change, read, write } from './records.ts';

/** What became of an alert. `known`: it was told before, and starts nothing a second time. */
export interface Received {
  readonly did: 'ignored' | 'known' | 'recorded';
  readonly because?: string;
}

/** An alert before it is known which stack it is of. */
export type LooseAlert = Omit<Alert, 'stack' | 'source'>;

type Policies = ReadonlyMap<string, TriggerPolicy | undefined>;

export type Assigned = { readonly stack: string; readonly policy: TriggerPolicy } | { readonly because: string };

/**
 * Which stack an alert is of. Pure: each stack says by which label it is named, and which labels make an alert its concern.
 */
export function assign({ labels }: Pick<LooseAlert, 'labels'>, stacks: Policies): Assigned {
  const named = [...stacks].flatMap(([stack, policy]) =>
    policy !== undefined && labels[policy.alerts.stackLabel] === stack ? [{ stack, policy }] : [],
  );
  const [first, second] = named;
  if (first === undefined) {
    const silent = [...stacks].find(([stack, policy]) => policy === undefined && labels['stack'] === stack)?.[0];
    return { because: silent === undefined ? 'its labels name no stack' : `the stack ${silent} has no triggers` };
  }
  if (second !== undefined) return { because: `its labels name several stacks: ${first.stack}, ${second.stack}` };
  const lacking = Object.entries(first.policy.alerts.match).find(([label, value]) => labels[label] !== value);
  return lacking === undefined ? first : { because: `it has no label ${lacking[0]}="${lacking[1]}"` };
}

/**
 * Writes an alert down, once, however often and by however many it is told. Answers without waiting for anything that
 * follows from it. Errors: those of the store.
 */
export async function receive(
  alert: Alert,
  policy: Pick<TriggerPolicy, 'staleMs'>,
  { records, clock }: { readonly records: ServiceStore; readonly clock: Clock },
): Promise<Received> {
  const [key, now] = [alertKey(alert), clock.now()];
  const receivedAt = new Date(now).toISOString();
  if (alert.status === 'firing') {
    if ((await read(records, 'alert', key)) !== undefined) return { did: 'known' };
    const because = refusalOf(alert, policy, now);
    const value: AlertRecord =
      because === undefined
        ? { alert, receivedAt, state: 'pending' }
        : { alert, receivedAt, state: 'ignored', because };
    if ((await write(records, 'alert', { key, version: 0, value })) === undefined) return { did: 'known' };
    return because === undefined ? { did: 'recorded' } : { did: 'ignored', because };
  }
  // Kept though it starts nothing: the news that it began may still be on its way.
  const over: AlertRecord = { alert, receivedAt, resolvedAt: receivedAt, state: 'settled' };
  if ((await write(records, 'alert', { key, version: 0, value: over })) !== undefined)
    return { did: 'ignored', because: 'it is over, and was never told while it fired' };
  let told = false;
  await change(records, 'alert', key, (seen) => {
    told = seen.resolvedAt !== undefined;
    return told ? undefined : { ...seen, alert: { ...seen.alert, ...endOf(alert) }, resolvedAt: receivedAt };
  });
  return { did: told ? 'known' : 'recorded' };
}

function endOf({ status, endsAt }: Alert): Partial<Alert> {
  return endsAt === undefined ? { status } : { status, endsAt };
}

/** Milliseconds after which the stack files are read again, beside the answers: a storm does not wait for that. */
const FRESH_MS = 1_000;
/** Milliseconds after which what was read is not believed any more, and new answers wait. */
const BELIEVED_MS = 30_000;

interface StackFiles {
  readonly clock: Clock;
  stackNames(): Promise<readonly string[]>;
  stack(name: string): Promise<Stack>;
}

/** The policies of all stacks as their files say, or said a moment ago. What cannot be read has none. */
export function policies(deps: StackFiles): () => Promise<Policies> {
  let known: { readonly at: number; readonly all: Policies } | undefined;
  let reading: Promise<Policies> | undefined;
  const read = async (): Promise<Policies> => {
    try {
      const at = deps.clock.monotonic();
      const all = await readPolicies(deps);
      known = { at, all };
      return all;
    } finally {
      reading = undefined;
    }
  };
  return async () => {
    const age = known === undefined ? Infinity : deps.clock.monotonic() - known.at;
    if (age > FRESH_MS) reading ??= read();
    if (known === undefined || age > BELIEVED_MS) return await (reading ?? read());
    // Whoever asks when it is no longer believed is told what went wrong.
    reading?.catch(() => undefined);
    return known.all;
  };
}

/** One after the other: others are answered in between. */
async function readPolicies({ stackNames, stack }: Omit<StackFiles, 'clock'>): Promise<Policies> {
  const found = new Map<string, TriggerPolicy | undefined>();
  for (const name of await stackNames()) {
    const read = await stack(name).catch(() => undefined);
    found.set(name, read?.triggers);
  }
  return found;
}
