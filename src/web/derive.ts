import type { CheckResult, Me, PastRun, Plan, SnapshotRow, StackItem, Step } from './types.ts';
import { count, spell, toneOf } from './words.ts';

/** What earlier runs say about how long it takes; undefined where there were none. Pure. */
export function expectedOf(steps: readonly Step[]): { readonly ms: number; readonly runs: number } | undefined {
  const known = steps.flatMap(({ expected }) => (expected === undefined ? [] : [expected]));
  if (known.length === 0) return undefined;
  return { ms: known.reduce((sum, { ms }) => sum + ms, 0), runs: Math.max(...known.map(({ runs }) => runs)) };
}

/** What may be lost for good, each once; what another one says as well is left to it. Pure. */
export function lossesOf({ steps, scenarios }: Pick<Plan, 'steps' | 'scenarios'>): readonly string[] {
  const said = [
    ...steps.flatMap(({ dataLoss }) => (dataLoss === undefined ? [] : [dataLoss])),
    ...(scenarios ?? []).flatMap(({ loses }) => (loses === undefined ? [] : [loses])),
  ];
  const once = [...new Set(said)];
  return once.filter((loss) => !once.some((other) => other !== loss && other.includes(loss)));
}

/** The figure by which two measurements are compared. Pure. */
export function figureOf(result: CheckResult | undefined): { readonly name: string; readonly ms: number } | undefined {
  for (const [key, name] of [
    ['p95Ms', '95th percentile'],
    ['averageMs', 'average'],
    ['maxMs', 'longest'],
  ] as const) {
    const ms = result?.measured?.[key];
    if (typeof ms === 'number' && Number.isFinite(ms)) return { name, ms };
  }
  return undefined;
}

/** What stands under each run of a chart: its day, or the time of day where all are of one. Pure. */
export function namesOf(runs: readonly Pick<PastRun, 'startedAt'>[]): readonly string[] {
  const days = new Set(runs.map(({ startedAt }) => startedAt.slice(0, 10)));
  return runs.map(({ startedAt }) => (days.size === 1 ? startedAt.slice(11, 16) : startedAt.slice(5, 10)));
}

/** The chart in a sentence. Pure. */
export function chartInWords(runs: readonly PastRun[]): string {
  const longest = Math.max(0, ...runs.map(({ durationMs }) => durationMs ?? 0));
  const down = runs.flatMap(({ downMs }) => (downMs === undefined ? [] : [downMs]));
  const unknown = runs.length - down.length;
  return [
    `Duration of ${count(runs.length, 'run')}, the longest ${spell(longest)}`,
    down.length === 0 ? 'downtime was measured in none' : `the longest downtime ${spell(Math.max(...down))}`,
    ...(unknown === 0 || down.length === 0 ? [] : [`not measured in ${unknown}`]),
  ].join('; ');
}

/** `known-good` first, then every label, then what has none. Pure. */
export function choicesOf(rows: readonly SnapshotRow[]): readonly (readonly [value: string, said: string])[] {
  const there = rows.filter(({ removed }) => removed === undefined);
  const labelled = there.flatMap((row) => row.labels.map((label) => [label, said(label, row)] as const));
  const bare = there
    .filter(({ labels, id }) => labels.length === 0 && !labelled.some(([value]) => value === id))
    .map((row) => [row.shortId, said(row.shortId, row)] as const);
  const all = [['known-good', 'the last known good before live'] as const, ...labelled, ...bare];
  return [...new Map(all).entries()];
}

function said(name: string, { knownGood, held }: SnapshotRow): string {
  return `${name}${held === undefined ? (knownGood ? ' (known good)' : '') : ' (held)'}`;
}

/** Links of alerts come from outside: only such are followed that lead to a page. Pure. */
export function safeLink(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  return /^https?:$/.test(new URL(url).protocol) ? url : undefined;
}

const URGENCY = ['bad', 'warn', 'unknown', 'busy', 'good', 'quiet'];

/** What is bad comes first, what rests last; within that by name. */
export function byUrgency(a: StackItem, b: StackItem): number {
  const of = (stack: StackItem): number => (stack.problem === undefined ? URGENCY.indexOf(toneOf(stack.state)) : -1);
  return of(a) - of(b) || (a.name < b.name ? -1 : 1);
}

/**
 * Whether it is worth offering somebody to plan and run something; the service decides. As long as it is not known who they
 * are, it is offered. Pure.
 */
export function mayAct(me: Me | undefined, stack: string): boolean {
  if (me === undefined) return true;
  return me.principal.grants.some(({ role, stacks }) => role !== 'viewer' && stacks.some((one) => covers(one, stack)));
}

/** `*` stands for any characters, also none. */
function covers(pattern: string, stack: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(stack);
}
