import { type Observed, observed } from './observation.ts';
import type { CheckResult, Phase, ProbeVerdict, RunEvent } from './types.ts';

/** Milliseconds are since the epoch where the name ends in `At`. */
export interface StepProgress {
  readonly title: string;
  readonly status: 'begun' | 'done' | 'skipped' | 'failed' | 'warned';
  readonly beganAt: number;
  readonly durationMs?: number;
  readonly message?: string;
}

export interface ObjectProgress {
  readonly state: string;
  readonly message: string;
  readonly phase: Phase;
}

export interface ProbeSpan {
  readonly verdict: ProbeVerdict;
  readonly reason: string;
  readonly fromAt: number;
}

export interface LogLine {
  readonly sequence: number;
  readonly time: string;
  readonly tone: 'plain' | 'good' | 'bad' | 'warn';
  readonly text: string;
}

/** What the events of a run say together. */
export interface Progress {
  /** Of the last event; a reader that was cut off reads on from it. */
  readonly sequence: number;
  /** Of the first and of the last event. */
  readonly startedAt?: number;
  readonly lastAt?: number;
  readonly phase?: Phase;
  /** In the order in which they were entered; a phase that is entered again is there twice. */
  readonly phases: readonly { readonly phase: Phase; readonly durationMs?: number }[];
  readonly steps: ReadonlyMap<string, StepProgress>;
  readonly objects: ReadonlyMap<string, ObjectProgress>;
  readonly before: readonly CheckResult[];
  readonly after: readonly CheckResult[];
  readonly probes: ReadonlyMap<string, readonly ProbeSpan[]>;
  readonly approval?: {
    readonly when: 'before' | 'after';
    readonly until: string;
    readonly given: number;
    readonly count: number;
  };
  readonly ended?: { readonly outcome: string; readonly reason?: string; readonly at: number } | undefined;
  /** What was seen of the stack after the end, where somebody watched. */
  readonly observation?: Observed;
  readonly log: readonly LogLine[];
}

export const NOTHING_YET: Progress = {
  sequence: 0,
  phases: [],
  steps: new Map(),
  objects: new Map(),
  before: [],
  after: [],
  probes: new Map(),
  log: [],
};

/** Checks that are measured up to here tell of the version that is rolled back from. */
const BEFORE: ReadonlySet<Phase> = new Set(['planned', 'locked', 'frozen', 'safeguarded', 'quiesced', 'restored']);

/** One event more. One that was told already changes nothing: a stream that begins again may repeat its last. Pure. */
export function withEvent(progress: Progress, event: RunEvent): Progress {
  if (event.sequence <= progress.sequence) return progress;
  const at = Date.parse(event.time);
  const stamped = { ...progress, sequence: event.sequence, lastAt: at, startedAt: progress.startedAt ?? at };
  const said = lineOf(event);
  const logged = said === undefined ? stamped : { ...stamped, log: [...progress.log, said] };
  return { ...logged, ...changeOf(progress, event, at) };
}

export function withEvents(progress: Progress, events: readonly RunEvent[]): Progress {
  return events.reduce(withEvent, progress);
}

function changeOf(progress: Progress, event: RunEvent, at: number): Partial<Progress> {
  switch (event.type) {
    case 'phase.entered':
      return { phase: event.phase, phases: [...progress.phases, { phase: event.phase }] };
    case 'phase.left':
      return { phases: left(progress.phases, event.phase, event.durationMs) };
    case 'step.started':
      return {
        phase: event.phase,
        steps: put(progress.steps, event.step, { title: event.title, status: 'begun', beganAt: at }),
      };
    case 'step.ended':
      return { steps: put(progress.steps, event.step, endedStep(progress.steps.get(event.step), event, at)) };
    case 'object.progress': {
      const { object, state, message } = event;
      return { objects: put(progress.objects, object, { state, message, phase: progress.phase ?? 'planned' }) };
    }
    case 'check.measured':
      return BEFORE.has(progress.phase ?? 'planned')
        ? { before: replaced(progress.before, event.result) }
        : { after: replaced(progress.after, event.result) };
    case 'probe.changed': {
      const { name, verdict, reason } = event;
      const span = { verdict, reason, fromAt: Date.parse(event.at) };
      return { probes: put(progress.probes, name, [...(progress.probes.get(name) ?? []), span]) };
    }
    case 'approval.needed': {
      const { when, count, until } = event;
      return { approval: { when, until, given: 0, count } };
    }
    case 'approval.given':
      if (progress.approval === undefined || event.decision === 'denied') return {};
      return { approval: { ...progress.approval, given: progress.approval.given + 1 } };
    case 'run.ended': {
      const { outcome, reason } = event;
      return { ended: { outcome, at, ...(reason === undefined ? {} : { reason }) } };
    }
    // A mixed run that somebody goes on with is at work again.
    case 'run.message':
      return progress.ended?.outcome === 'mixed' ? { ended: undefined } : {};
    case 'observation.started':
    case 'observation.changed':
    case 'observation.ended':
      return observed(progress, event);
    default:
      // A newer service tells of more than this page knows.
      return {};
  }
}

function endedStep(
  begun: StepProgress | undefined,
  { step, outcome, durationMs, message }: Extract<RunEvent, { type: 'step.ended' }>,
  at: number,
): StepProgress {
  const known = begun ?? { title: step, beganAt: at - durationMs };
  return { ...known, status: outcome, durationMs, ...(message === undefined ? {} : { message }) };
}

function left(phases: Progress['phases'], phase: Phase, durationMs: number): Progress['phases'] {
  const at = phases.findLastIndex((one) => one.phase === phase && one.durationMs === undefined);
  return at === -1 ? [...phases, { phase, durationMs }] : phases.with(at, { phase, durationMs });
}

function replaced(results: readonly CheckResult[], result: CheckResult): readonly CheckResult[] {
  return [...results.filter(({ name }) => name !== result.name), result];
}

function put<V>(map: ReadonlyMap<string, V>, key: string, value: V): ReadonlyMap<string, V> {
  return new Map(map).set(key, value);
}

const VERDICT_TONES = { pass: 'good', fail: 'bad', unknown: 'warn' } as const;
const PROBE_TONES = { up: 'good', down: 'bad', unknown: 'warn' } as const;
const STEP_TONES = { done: 'good', skipped: 'plain', failed: 'bad', warned: 'warn' } as const;
const OBSERVED_TONES = { quiet: 'good', disturbed: 'bad', unmeasured: 'warn', stopped: 'plain' } as const;
const GOOD_ENDS: ReadonlySet<string> = new Set(['succeeded', 'nothing-to-do']);

/** An event as one line of the log; undefined for what the picture shows better. */
function lineOf(event: RunEvent): LogLine | undefined {
  const line = (tone: LogLine['tone'], text: string): LogLine => ({
    sequence: event.sequence,
    time: event.time,
    tone,
    text,
  });
  switch (event.type) {
    case 'run.started':
      return line('plain', `run to ${event.target} begins`);
    case 'approval.needed':
      return line('warn', `approval needed for ${event.severity} by ${event.roles.join(' or ')}`);
    case 'approval.given':
      return line(
        event.decision === 'approved' ? 'good' : 'bad',
        `${event.decision} by ${event.user} as ${event.role}${event.reason === undefined ? '' : `: ${event.reason}`}`,
      );
    case 'phase.entered':
      return line('plain', `phase ${event.phase}`);
    case 'step.started':
      return line('plain', event.title);
    case 'step.ended':
      return event.message === undefined ? undefined : line(STEP_TONES[event.outcome], event.message);
    case 'object.progress':
      return line(
        event.state === 'failed' ? 'bad' : 'plain',
        `${event.object.split('/').slice(1).join('/')} ${event.state}${event.message === '' ? '' : `: ${event.message}`}`,
      );
    case 'check.measured':
      return line(
        VERDICT_TONES[event.result.verdict],
        `check ${event.result.name}: ${event.result.verdict}, ${event.result.reason}`,
      );
    case 'probe.changed':
      return line(PROBE_TONES[event.verdict], `${event.name} ${event.verdict}: ${event.reason}`);
    case 'run.message':
      return line(event.level === 'warn' ? 'warn' : 'plain', event.message);
    case 'run.ended':
      return line(
        GOOD_ENDS.has(event.outcome) ? 'good' : 'bad',
        `${event.outcome}${event.reason === undefined ? '' : `: ${event.reason}`}`,
      );
    case 'observation.started':
      return line('plain', `watched until ${event.until.slice(11, 19)}: ${event.subjects.join(', ')}`);
    case 'observation.changed':
      return line(VERDICT_TONES[event.verdict], `${event.subject}: ${event.verdict}, ${event.reason}`);
    case 'observation.ended':
      return line(OBSERVED_TONES[event.outcome], `${event.outcome} afterwards: ${event.reason}`);
    case 'phase.left':
      return undefined;
    default:
      return undefined;
  }
}

export interface ProbeSums {
  readonly upMs: number;
  readonly downMs: number;
  readonly unknownMs: number;
  readonly spans: readonly (ProbeSpan & { readonly toAt: number })[];
}

/** How long a probe was up, down and unknown between two moments. Before its first answer it is unknown. Pure. */
export function probeSums(spans: readonly ProbeSpan[], fromAt: number, toAt: number): ProbeSums {
  const end = Math.max(fromAt, toAt);
  const first: ProbeSpan = { verdict: 'unknown', reason: 'not measured yet', fromAt };
  const all = [first, ...spans].map((span) => ({ ...span, fromAt: Math.min(Math.max(span.fromAt, fromAt), end) }));
  const closed = all
    .map((span, i) => ({ ...span, toAt: Math.max(span.fromAt, all[i + 1]?.fromAt ?? end) }))
    .filter((span) => span.toAt > span.fromAt);
  const sum = (verdict: ProbeVerdict): number =>
    closed.reduce((total, span) => total + (span.verdict === verdict ? span.toAt - span.fromAt : 0), 0);
  return { upMs: sum('up'), downMs: sum('down'), unknownMs: sum('unknown'), spans: closed };
}
