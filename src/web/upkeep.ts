import type { Delivery, Drill, ScheduleView } from './types.ts';
import { count } from './words.ts';

/** Nothing of a stack tells when these change: they are read again by the clock. Milliseconds. */
const SOON_MS = 5_000;
const SOMETIMES_MS = 60_000;

/** Where a schedule stands; `unseen`: no service has seen it, so nobody knows when its time is. Pure. */
export function standingOf(
  { isFiring, nextAt }: ScheduleView,
  now: number,
): 'at work' | 'overdue' | 'ahead' | 'unseen' {
  if (isFiring) return 'at work';
  if (nextAt === undefined) return 'unseen';
  return Date.parse(nextAt) > now ? 'ahead' : 'overdue';
}

const DEEDS: Readonly<Record<string, string>> = {
  capture: 'captures the stack',
  drill: 'proves the newest backup',
  'finalize-expired': 'removes what is past its retention',
};

/** Pure. A newer service may have deeds that this page does not know. */
export function deedInWords(deed: string): string {
  return DEEDS[deed] ?? deed;
}

/** Milliseconds until schedules look otherwise. Pure. */
export function schedulesAgainMs(schedules: readonly ScheduleView[], now: number): number | undefined {
  if (schedules.length === 0) return undefined;
  const ahead = schedules.flatMap((schedule) => {
    const standing = standingOf(schedule, now);
    if (standing === 'ahead') return [Date.parse(schedule.nextAt ?? '') - now + SOON_MS];
    return standing === 'unseen' ? [] : [SOON_MS];
  });
  return Math.min(SOMETIMES_MS, ...ahead);
}

export interface StoreProof {
  readonly store: string;
  readonly kind: string;
  /** The newest one. */
  readonly last?: Drill;
  /** The newest one that went well. */
  readonly proven?: Drill;
}

/** What drills say of each store. Pure. @param drills the newest first */
export function proofsOf(
  stores: readonly { readonly name: string; readonly kind: string }[],
  drills: readonly Drill[],
): readonly StoreProof[] {
  return stores.map(({ name, kind }) => {
    const mine = drills.filter(({ store }) => store === name);
    const [last] = mine;
    const proven = mine.find(({ state }) => state === 'proven');
    return {
      store: name,
      kind,
      ...(last === undefined ? {} : { last }),
      ...(proven === undefined ? {} : { proven }),
    };
  });
}

/** What came of a drill, in one line; undefined while nothing has. Pure. */
export function drillInWords({ state, result }: Pick<Drill, 'state' | 'result'>): string | undefined {
  if (state === 'running') return undefined;
  const said = (result ?? {}) as { readonly message?: unknown; readonly proofs?: unknown };
  if (typeof said.message === 'string') return said.message;
  const proofs = (Array.isArray(said.proofs) ? said.proofs : []) as readonly { readonly message?: unknown }[];
  const message = proofs.at(-1)?.message;
  if (typeof message === 'string') return message;
  return state === 'lost' ? 'its process ended without a word' : undefined;
}

/** Milliseconds until drills look otherwise. Pure. */
export function drillsAgainMs(drills: readonly Drill[]): number {
  return drills.some(({ state }) => state === 'running') ? SOON_MS : SOMETIMES_MS;
}

const OWED: ReadonlySet<string> = new Set(['due', 'sending']);
const NOT_TOLD: ReadonlySet<string> = new Set(['refused', 'given-up']);

/** `3 told, 1 not told, 2 owed`. Pure. */
export function toldInShort(items: readonly Pick<Delivery, 'state'>[]): string {
  const parts = [
    [items.filter(({ state }) => state === 'delivered').length, 'told'],
    [items.filter(({ state }) => NOT_TOLD.has(state)).length, 'not told'],
    [items.filter(({ state }) => OWED.has(state)).length, 'owed'],
    [items.filter(({ state }) => state === 'withdrawn').length, 'withdrawn'],
  ] as const;
  return parts.flatMap(([number, word]) => (number === 0 ? [] : [`${number} ${word}`])).join(', ');
}

/** `approval needed` for `approval.needed`. Pure. */
export function noticeInWords(notice: string): string {
  return notice.replace('.', ' ');
}

/** What there is to say of one delivery beside its state. Pure. */
export function deliveryInWords({ state, attempts, because }: Delivery): string {
  const tries = attempts > 1 || (OWED.has(state) && attempts > 0) ? [count(attempts, 'attempt')] : [];
  return [...(because === undefined ? [] : [because]), ...tries].join(' · ');
}

/**
 * Milliseconds until deliveries look otherwise; undefined: they will not. Pure.
 * @param isLive something may still be owed that is not listed yet
 */
export function deliveriesAgainMs(items: readonly Delivery[], isLive: boolean, now: number): number | undefined {
  const owed = items.filter(({ state }) => OWED.has(state));
  if (owed.length === 0) return isLive ? 2 * SOON_MS : undefined;
  const due = owed.map(({ dueAt }) => (dueAt === undefined ? 0 : Date.parse(dueAt) - now));
  return Math.min(SOMETIMES_MS, Math.max(SOON_MS, Math.min(...due)));
}
