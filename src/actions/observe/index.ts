import { BackstayError, isBackstayError } from '../../errors/index.ts';
import { fold, type RunState } from '../../journal/index.ts';
import {
  type ObservationOutcome,
  type ObservationPolicy,
  type ObservedSubject,
  observedOutcome,
  type RunEvent,
  type RunEventBody,
  type Stack,
} from '../../model/index.ts';
import type {
  Archive,
  Clock,
  Cluster,
  DataStore,
  HttpClient,
  JournalStore,
  PrivateFiles,
  Reporter,
} from '../../ports/index.ts';
import { addFact, changedStack, hasBegun, stateOfRun } from '../../rollback/index.ts';
import { checkNamed } from '../check.ts';
import { writeReport } from '../report.ts';
import { type Look, logObserver, neighbourObserver, type Observer, sessionObserver, watchObserver } from './looks.ts';

export interface ObserveDeps {
  readonly stack: Stack;
  /** Connected when it is first asked. */
  readonly cluster: () => Promise<Cluster>;
  readonly dataStores: () => Promise<readonly DataStore[]>;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly journal: JournalStore;
  readonly files: PrivateFiles;
  readonly archive: Archive;
  readonly stateDir: string;
  readonly reporter: Reporter;
}

export interface ObserveOptions {
  readonly run: string;
  /** Milliseconds from now. @default what the stack file says, from the end of the run */
  readonly forMs?: number;
  /** Ends the watching without an end in the journal: whoever goes on finds it open. */
  readonly signal: AbortSignal;
}

export type ObserveResult =
  | {
      readonly kind: 'observed';
      readonly run: string;
      readonly outcome: ObservationOutcome;
      readonly reason: string;
      readonly subjects: readonly ObservedSubject[];
    }
  /** The signal fired first. */
  | { readonly kind: 'left'; readonly run: string };

/**
 * Watches a stack after one of its runs until the time is over or a later run begins, says in the run's journal what it finds,
 * and writes the run's report again. One that was left open is gone on with; one that is over is told again.
 * @throws RUN_UNKNOWN, RUN_UNFINISHED, OBSERVATION_NONE, OBSERVATION_OVER, JOURNAL_BROKEN
 */
export async function observe(options: ObserveOptions, deps: ObserveDeps): Promise<ObserveResult> {
  const { run, signal } = options;
  const state = await stateOfRun(run, deps);
  const { ended, observation } = state;
  if (ended === undefined) throw unfinished(run);
  if (observation?.ended !== undefined && options.forMs === undefined) return resultOf(state);
  const policy = policyOf(deps.stack);
  const until = untilOf(state, policy, options, deps.clock.now());
  const observers = observersOf(policy, { run, startedAt: state.startedAt, endedAt: ended.at }, deps);
  const tell = tellerOf(run, deps);
  await tell({ type: 'observation.started', until: new Date(until).toISOString(), subjects: [...observers.keys()] });
  for (let due = deps.clock.monotonic(); !signal.aborted; ) {
    const newest = await newestChange(deps.stack.name, deps);
    if (newest !== undefined && newest.run !== run)
      return await end(run, { outcome: 'stopped', reason: `run ${newest.run} began` }, deps);
    await lookAt(observers, tell, run, deps, signal);
    if (signal.aborted) break;
    const left = until - deps.clock.now();
    if (left <= 0) return await end(run, undefined, deps);
    due += policy.everyMs;
    // The last look is at the end, not before it.
    const pause = Math.min(left, Math.max(0, due - deps.clock.monotonic()));
    await deps.clock.delay(pause, signal).catch(() => undefined);
  }
  return { kind: 'left', run };
}

/** Whether a service has something to do for a run: until when (milliseconds since the epoch) it is to be watched. Pure. */
export function observedUntil(state: RunState, policy: ObservationPolicy): number | undefined {
  const { ended, observation } = state;
  if (ended === undefined || observation?.ended !== undefined) return undefined;
  if (ended.outcome !== 'succeeded' && ended.outcome !== 'unvalidated') return undefined;
  return observation === undefined ? Date.parse(ended.at) + policy.forMs : Date.parse(observation.until);
}

function unfinished(run: string): BackstayError {
  return new BackstayError('RUN_UNFINISHED', `The run ${run} has not ended: what comes after it is watched then.`, {
    next: `Watch the run with \`backstay watch ${run}\`.`,
  });
}

function policyOf({ name, observe: policy }: Stack): ObservationPolicy {
  if (policy !== undefined) return policy;
  throw new BackstayError('OBSERVATION_NONE', `The stack ${name} does not say what is watched after a run.`, {
    next: `Add \`backstay:observe\` to stacks/Pulumi.${name}.yaml.`,
  });
}

function untilOf(
  { run, ended, observation }: RunState,
  { forMs }: ObservationPolicy,
  asked: Pick<ObserveOptions, 'forMs'>,
  now: number,
): number {
  if (asked.forMs !== undefined) return now + asked.forMs;
  if (observation !== undefined) return Date.parse(observation.until);
  const until = Date.parse(ended?.at ?? '') + forMs;
  if (until > now) return until;
  throw new BackstayError('OBSERVATION_OVER', `The run ${run} ended at ${ended?.at ?? ''}: its time is over.`, {
    next: `Watch the stack from now on with \`backstay observe ${run} --for 30m\`.`,
  });
}

function observersOf(
  { watches, checks, sessions, logs, neighbours }: ObservationPolicy,
  run: { readonly run: string; readonly startedAt: string; readonly endedAt: string },
  deps: ObserveDeps,
): ReadonlyMap<string, Observer> {
  return new Map<string, Observer>([
    ...watches.map((setting) => [`watch ${setting.name}`, watchObserver(setting, deps)] as const),
    ...checks.map((name) => [`check ${name}`, checkObserver(name, deps)] as const),
    ...sessions.map((one) => [`sessions ${one.store}`, sessionObserver(one, deps.dataStores)] as const),
    ...(logs === undefined ? [] : [['logs', logObserver(logs, run, deps)] as const]),
    ...neighbours.map((name) => [`neighbours ${name}`, neighbourObserver(name, run.startedAt, deps)] as const),
  ]);
}

function checkObserver(name: string, { stack, cluster, http, clock }: ObserveDeps): Observer {
  return async (signal) => {
    const [result] = await checkNamed([name], { signal }, { stack, cluster: await cluster(), http, clock });
    return result ?? { verdict: 'unknown', reason: 'it does not apply' };
  };
}

type Tell = (event: RunEventBody) => Promise<void>;

function tellerOf(run: string, deps: ObserveDeps): Tell {
  return async (body) => {
    let told: RunEvent | undefined;
    await addFact(
      run,
      ({ stack, eventSequence }) => {
        const time = new Date(deps.clock.now()).toISOString();
        told = { ...body, run, stack, sequence: eventSequence + 1, time };
        return { kind: 'event', event: told };
      },
      deps,
    );
    if (told !== undefined) deps.reporter.report(told);
  };
}

/** Tells what changed since the last look, whoever made that. */
async function lookAt(
  observers: ReadonlyMap<string, Observer>,
  tell: Tell,
  run: string,
  deps: ObserveDeps,
  signal: AbortSignal,
): Promise<void> {
  const looks = await Promise.all(
    [...observers].map(async ([subject, observer]) => ({ subject, look: await safely(observer, signal) })),
  );
  if (signal.aborted) return;
  const known = (await stateOfRun(run, deps)).observation?.subjects ?? [];
  for (const { subject, look } of looks) {
    const last = known.find(({ name }) => name === subject)?.findings.at(-1);
    const isNews = look?.verdict !== last?.verdict || (look?.verdict === 'fail' && look.reason !== last?.reason);
    if (look === undefined || !isNews) continue;
    await tell({ type: 'observation.changed', subject, verdict: look.verdict, reason: look.reason });
  }
}

async function safely(observer: Observer, signal: AbortSignal): Promise<Look> {
  try {
    return await observer(signal);
  } catch (error) {
    return {
      verdict: 'unknown',
      reason: `cannot be measured: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

/**
 * The newest run of a stack that is at work on it, or has changed it. One that waits for its approval is none, and none that
 * left everything as it was. One whose journal is damaged may have been anything. @throws what the journal throws
 */
export async function newestChange(
  stack: string,
  { journal }: Pick<ObserveDeps, 'journal'>,
): Promise<{ readonly run: string; readonly state?: RunState } | undefined> {
  const runs = (await journal.runs(stack)).toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
  for (const { run } of runs) {
    try {
      const state = fold(await journal.read(run));
      if (state.ended === undefined ? hasBegun(state) : changedStack(state)) return { run, state };
    } catch (error) {
      if (isBackstayError(error, 'JOURNAL_BROKEN')) return { run };
      throw error;
    }
  }
  return undefined;
}

async function end(
  run: string,
  asked: { readonly outcome: 'stopped'; readonly reason: string } | undefined,
  deps: ObserveDeps,
): Promise<ObserveResult> {
  const subjects = (await stateOfRun(run, deps)).observation?.subjects ?? [];
  const outcome = asked?.outcome ?? observedOutcome(subjects);
  await tellerOf(
    run,
    deps,
  )({ type: 'observation.ended', outcome, reason: asked?.reason ?? because(outcome, subjects) });
  await writeReport(run, deps);
  return resultOf(await stateOfRun(run, deps));
}

function because(outcome: ObservationOutcome, subjects: readonly ObservedSubject[]): string {
  const names = (which: (subject: ObservedSubject) => boolean): string =>
    subjects
      .filter(which)
      .map(({ name }) => name)
      .join(', ');
  if (outcome === 'disturbed')
    return `failed: ${names(({ findings }) => findings.some(({ verdict }) => verdict === 'fail'))}`;
  if (outcome === 'unmeasured')
    return `not measured at the end: ${names(({ findings }) => findings.at(-1)?.verdict !== 'pass')}`;
  return `${subjects.length} ${subjects.length === 1 ? 'subject' : 'subjects'} measured, none failed`;
}

function resultOf({ run, observation }: RunState): ObserveResult {
  const { subjects = [], ended } = observation ?? {};
  return {
    kind: 'observed',
    run,
    outcome: ended?.outcome ?? observedOutcome(subjects),
    reason: ended?.reason ?? '',
    subjects,
  };
}
