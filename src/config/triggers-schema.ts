import { z } from 'zod';
import { type HttpTarget, SCOPES, type TriggerPolicy, WATCH_LEAST_SAMPLES, type WatchSetting } from '../model/index.ts';
import { accept, DURATION, duration, httpTarget, milliseconds, text, textList } from './fields.ts';
import type { Finding } from './problems.ts';

const route = { target: httpTarget, accept: accept.default([200]).describe('Status codes that count as answered.') };
const window = duration.default('5m').describe('How far back each figure looks.');

export const measure = z
  .discriminatedUnion(
    'kind',
    [
      z.strictObject({
        kind: z.literal('prometheus'),
        query: text.describe('PromQL with one value as its answer; none is unknown, and fires nothing.'),
        prometheus: httpTarget.exactOptional().describe('Default: that of triggers, then that of metrics.'),
      }),
      z.strictObject({ kind: z.literal('failing'), ...route }).describe('1 while the route fails, 0 while it answers.'),
      z.strictObject({ kind: z.literal('error-rate'), ...route, window }).describe('Share of failed requests, 0 to 1.'),
      z.strictObject({ kind: z.literal('latency'), ...route, window }).describe('95th percentile in milliseconds.'),
    ],
    { error: 'a measure with kind prometheus, failing, error-rate or latency' },
  )
  .describe('What is measured.');

const number = z.number({ error: 'a number' });

const above = z
  .union(
    [
      z.strictObject({ value: number }),
      z.strictObject({ timesBaseline: number.positive({ error: 'a number above 0' }) }),
      z.strictObject({ overBaseline: number.min(0, { error: 'a number from 0 on' }) }),
    ],
    { error: '{value: N}, {timesBaseline: N} or {overBaseline: N}' },
  )
  .describe('The limit: a number, or one against what was recorded while the stack was well.');

const watch = z.strictObject(
  {
    name: text.describe('Unique among the watches; the alert is called so.'),
    measure,
    above: above.exactOptional(),
    for: duration.describe('Beyond the limit for so long without interruption.'),
    every: duration.default('15s').describe('Between measurements.'),
  },
  { error: '{name, measure, above, for, every}' },
);

/** What alerts may start. Without it they start nothing. */
export const triggers = z
  .strictObject(
    {
      mode: z
        .enum(['propose', 'automatic'])
        .default('propose')
        .describe('propose: a person is asked. automatic: done at once, where no policy asks for a person.'),
      target: text.default('known-good').describe('As after --to.'),
      scope: z
        .union([z.enum(SCOPES), z.strictObject({ workloads: textList.min(1, { error: 'at least one workload' }) })], {
          error: `one of ${SCOPES.join(', ')}, or {workloads: [NAME, …]}`,
        })
        .default('full')
        .describe('What the rollback may touch.'),
      severity: text.exactOptional().describe("Default: the alerts' label `severity`, where the policy knows it."),
      settle: duration.default('30s').describe('Nothing new may have fired for so long: a storm is one event.'),
      stale: duration.default('15m').describe('An alert that began earlier, and is told only now, starts nothing.'),
      quiet: duration.default('30m').describe('After a rollback, alerts start nothing for so long.'),
      alerts: z
        .strictObject(
          {
            match: z
              .record(text, text, { error: 'labels with their values' })
              .default({ rollback_trigger: 'true' })
              .describe('Labels that an alert must carry.'),
            stackLabel: text.default('stack').describe('The label that names the stack.'),
          },
          { error: '{match, stackLabel}' },
        )
        .prefault({}),
      prometheus: httpTarget.exactOptional().describe('What comes before /api/v1. Default: that of metrics.'),
      watches: z.array(watch, { error: 'a list of watches' }).default([]).describe('Measured by the service itself.'),
    },
    { error: '{mode, target, scope, severity, settle, stale, quiet, alerts, prometheus, watches}' },
  )
  .describe('What alerts, and thresholds of our own, may do to the stack.');

type RawTriggers = z.output<typeof triggers>;
type RawWatch = z.output<typeof watch>;

/** `fallback`: where figures of the stack come from, for queries that name no place of their own. */
export function toTriggers(raw: RawTriggers, fallback?: HttpTarget): TriggerPolicy {
  const { mode, target, scope, severity, settle, stale, quiet, alerts, prometheus = fallback, watches } = raw;
  return {
    mode,
    target,
    scope: typeof scope === 'string' ? { kind: scope } : { kind: 'workloads', names: scope.workloads },
    ...(severity === undefined ? {} : { severity }),
    settleMs: milliseconds(settle),
    staleMs: milliseconds(stale),
    quietMs: milliseconds(quiet),
    alerts,
    watches: watches.map((one) => toWatch(one, prometheus)),
  };
}

function toWatch(
  { name, measure: raw, above: limit, for: duration, every }: RawWatch,
  from?: HttpTarget,
): WatchSetting {
  const times = { forMs: milliseconds(duration), everyMs: milliseconds(every) };
  // A route fails or it does not; everything else was checked to have a limit.
  return { name, measure: toMeasure(raw, from), above: limit ?? { value: 0.5 }, ...times };
}

export function toMeasure(raw: RawWatch['measure'], from?: HttpTarget): WatchSetting['measure'] {
  if (raw.kind === 'prometheus') {
    const { kind, query, prometheus = from ?? { url: '' } } = raw;
    return { kind, query, prometheus };
  }
  if (raw.kind === 'failing') return raw;
  const { window: span, ...rest } = raw;
  return { ...rest, windowMs: milliseconds(span) };
}

type Unchecked = Readonly<Record<string, unknown>>;

/** What only shows against the stack's other settings, or between two of a watch. */
export function triggerFindings(settings: Unchecked): Finding[] {
  const raw = settings['triggers'];
  if (!isRecord(raw)) return [];
  const watches = Array.isArray(raw['watches']) ? raw['watches'] : [];
  const hasSource =
    isRecord(raw['prometheus']) || (isRecord(settings['metrics']) && isRecord(settings['metrics']['prometheus']));
  return [
    ...aboutSeverity(raw['severity'], settings['severities']),
    ...aboutTimes(raw),
    ...watches.flatMap((one, index) =>
      isRecord(one) ? aboutMeasure(one, ['triggers', 'watches', index], hasSource) : [],
    ),
    ...watches.flatMap((one, index) => aboutName(one, watches.slice(0, index), index)),
  ];
}

function aboutSeverity(severity: unknown, policies: unknown): Finding[] {
  const known = isRecord(policies) ? Object.keys(policies) : [];
  if (typeof severity !== 'string' || known.includes(severity)) return [];
  const expected =
    known.length === 0
      ? 'a severity declared in severities, which has none'
      : `one of the severities: ${known.join(', ')}`;
  return [{ path: ['triggers', 'severity'], found: JSON.stringify(severity), expected }];
}

/** An alert that is stale before it has settled could start nothing, ever. */
function aboutTimes({ settle = '30s', stale = '15m' }: Unchecked): Finding[] {
  const [longest, limit] = [timeOf(settle), timeOf(stale)];
  if (longest === undefined || limit === undefined || longest < limit) return [];
  return [
    {
      path: ['triggers', 'stale'],
      found: JSON.stringify(stale),
      expected: `longer than settle, which is ${String(settle)}`,
    },
  ];
}

/** Whether one watch, at `path`, can be measured and has a limit. `hasSource`: the stack says where figures come from. */
export function aboutMeasure(raw: Unchecked, path: readonly (string | number)[], hasSource: boolean): Finding[] {
  const { measure: asked, above: limit, every = '15s' } = raw;
  if (!isRecord(asked)) return [];
  const { kind, window: span = '5m' } = asked;
  if (kind === 'prometheus' && !hasSource && asked['prometheus'] === undefined)
    return [
      { path: [...path, 'measure'], found: 'no prometheus', expected: 'prometheus in it, in triggers or in metrics' },
    ];
  if (kind !== 'failing' && limit === undefined)
    return [
      { path: [...path], found: 'no limit', expected: 'above: {value: N}, {timesBaseline: N} or {overBaseline: N}' },
    ];
  const [spanMs, everyMs] = [timeOf(span), timeOf(every)];
  if ((kind !== 'error-rate' && kind !== 'latency') || spanMs === undefined || everyMs === undefined) return [];
  if (spanMs >= everyMs * WATCH_LEAST_SAMPLES) return [];
  return [
    {
      path: [...path, 'measure', 'window'],
      found: JSON.stringify(span),
      expected: `at least ${WATCH_LEAST_SAMPLES} times \`every\`, which is ${String(every)}`,
    },
  ];
}

function aboutName(one: unknown, before: readonly unknown[], index: number): Finding[] {
  const name = isRecord(one) ? one['name'] : undefined;
  if (typeof name !== 'string' || !before.some((other) => isRecord(other) && other['name'] === name)) return [];
  return [
    {
      path: ['triggers', 'watches', index, 'name'],
      found: `${JSON.stringify(name)} a second time`,
      expected: 'a name of its own',
    },
  ];
}

function timeOf(raw: unknown): number | undefined {
  return typeof raw === 'string' && DURATION.test(raw) ? milliseconds(raw) : undefined;
}

function isRecord(value: unknown): value is Unchecked {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
