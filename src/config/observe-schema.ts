import { z } from 'zod';
import type { HttpTarget, ObservationPolicy } from '../model/index.ts';
import { DURATION, duration, milliseconds, namespace, text, textList } from './fields.ts';
import type { Finding } from './problems.ts';
import { aboutMeasure, measure, toMeasure } from './triggers-schema.ts';

const watch = z.strictObject(
  {
    name: text.describe('Unique among the watches.'),
    measure,
    above: z
      .strictObject({ value: z.number({ error: 'a number' }) }, { error: '{value: N}' })
      .exactOptional()
      .describe('The limit. Not needed where the measure is `failing`.'),
    for: duration.default('1m').describe('Beyond the limit for so long without interruption.'),
  },
  { error: '{name, measure, above, for}' },
);

const ignored = z
  .string({ error: 'a pattern' })
  .min(1)
  .refine(isPattern, { error: 'a regular expression' })
  .describe('Lines that it fits are no news.');

const count = z.int({ error: 'a whole number' }).min(0, { error: 'a number from 0 on' });

const sessions = z.strictObject(
  {
    store: text.describe('One of the stores.'),
    atLeast: count.default(0).describe('With fewer, nobody uses it any more.'),
    atMost: count.describe('With more, it has soon none left.'),
  },
  { error: '{store, atLeast, atMost}' },
);

/** How a stack is watched after a run that changed it. Without it nobody watches. */
export const observe = z
  .strictObject(
    {
      for: duration.default('30m').describe('After the end of a run.'),
      every: duration.default('30s').describe('Between two looks.'),
      watches: z.array(watch, { error: 'a list of watches' }).default([]).describe('Figures, each with its limit.'),
      checks: textList.default([]).describe('Checks of the stack, asked at every look.'),
      sessions: z
        .array(sessions, { error: 'a list of {store, atLeast, atMost}' })
        .default([])
        .describe('Connections of others to data stores.'),
      logs: z
        .strictObject({ ignore: z.array(ignored, { error: 'a list of patterns' }).default([]) }, { error: '{ignore}' })
        .exactOptional()
        .describe('Whether kinds of errors come up in the logs that were not there before.'),
      neighbours: z
        .array(namespace, { error: 'a list of namespaces' })
        .default([])
        .describe('Namespaces whose workloads may not become unready.'),
    },
    { error: '{for, every, watches, checks, sessions, logs, neighbours}' },
  )
  .describe('What is watched for some time after a run, and told in its report.');

/** `fallback`: where figures of the stack come from, for queries that name no place of their own. */
export function toObservation(raw: z.output<typeof observe>, fallback?: HttpTarget): ObservationPolicy {
  const everyMs = milliseconds(raw.every);
  return {
    forMs: milliseconds(raw.for),
    everyMs,
    watches: raw.watches.map(({ name, measure: asked, above = { value: 0.5 }, for: duration }) => ({
      name,
      // A route fails or it does not; everything else was checked to have a limit.
      measure: toMeasure(asked, fallback),
      above,
      forMs: milliseconds(duration),
      everyMs,
    })),
    checks: raw.checks,
    sessions: raw.sessions,
    ...(raw.logs === undefined ? {} : { logs: raw.logs }),
    neighbours: raw.neighbours,
  };
}

type Unchecked = Readonly<Record<string, unknown>>;

/** What only shows against the stack's other settings, or between two parts of it. */
export function observeFindings(settings: Unchecked): Finding[] {
  const raw = settings['observe'];
  if (!isRecord(raw)) return [];
  const watches = listOf(raw['watches']).filter(isRecord);
  const checks = listOf(raw['checks']);
  const sessions = listOf(raw['sessions']);
  const { every = '30s', for: span = '30m' } = raw;
  const hasSource = isRecord(settings['metrics']) && isRecord(settings['metrics']['prometheus']);
  const hasSubject =
    watches.length + checks.length + sessions.length + listOf(raw['neighbours']).length > 0 ||
    raw['logs'] !== undefined;
  return [
    ...(hasSubject
      ? []
      : [{ path: ['observe'], found: 'nothing to watch', expected: 'watches, checks, sessions, logs or neighbours' }]),
    ...aboutTimes(every, span),
    ...watches.flatMap((one, index) => aboutMeasure({ every, ...one }, ['observe', 'watches', index], hasSource)),
    ...watches.flatMap(({ name }, index) =>
      watches.slice(0, index).some((other) => other['name'] === name)
        ? [twice(['observe', 'watches', index, 'name'], name)]
        : [],
    ),
    ...checks.flatMap((name, index) =>
      aboutName(['observe', 'checks', index], name, checks, namesIn(settings, 'checks')),
    ),
    ...sessions.flatMap((one, index) => (isRecord(one) ? aboutSessions(one, index, sessions, settings) : [])),
  ];
}

function aboutTimes(every: unknown, span: unknown): Finding[] {
  if (typeof every !== 'string' || typeof span !== 'string' || !DURATION.test(every) || !DURATION.test(span)) return [];
  if (milliseconds(every) > 0 && milliseconds(span) >= milliseconds(every)) return [];
  return [{ path: ['observe', 'for'], found: JSON.stringify(span), expected: `at least \`every\`, which is ${every}` }];
}

function aboutSessions(one: Unchecked, index: number, all: readonly unknown[], settings: Unchecked): Finding[] {
  const { store, atLeast = 0, atMost } = one;
  const stores = all.map((other) => (isRecord(other) ? other['store'] : undefined));
  const path = ['observe', 'sessions', index];
  const isEmpty = typeof atLeast === 'number' && typeof atMost === 'number' && atLeast > atMost;
  return [
    ...aboutName([...path, 'store'], store, stores, namesIn(settings, 'stores')),
    ...(isEmpty ? [{ path: [...path, 'atLeast'], found: String(atLeast), expected: `at most atMost, ${atMost}` }] : []),
  ];
}

interface Names {
  readonly of: string;
  readonly known: readonly string[];
}

/** One of the names that there are, and no second time. */
function aboutName(
  path: readonly (string | number)[],
  name: unknown,
  all: readonly unknown[],
  { of, known }: Names,
): Finding[] {
  if (typeof name !== 'string') return [];
  if (all.indexOf(name) < Number(path[2])) return [twice(path, name)];
  if (known.includes(name)) return [];
  const expected =
    known.length === 0 ? `a name declared in ${of}, which has none` : `one of the ${of}: ${known.join(', ')}`;
  return [{ path: [...path], found: JSON.stringify(name), expected }];
}

function namesIn(settings: Unchecked, of: string): Names {
  const entries = listOf(settings[of]);
  return {
    of,
    known: entries.flatMap((one) => (isRecord(one) && typeof one['name'] === 'string' ? [one['name']] : [])),
  };
}

function twice(path: readonly (string | number)[], name: unknown): Finding {
  return { path: [...path], found: `${JSON.stringify(name)} a second time`, expected: 'a name of its own' };
}

function isPattern(given: string): boolean {
  try {
    return new RegExp(given, 'u').source !== '';
  } catch {
    return false;
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isRecord(value: unknown): value is Unchecked {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
