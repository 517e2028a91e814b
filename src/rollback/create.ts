import { BackstayError } from '../errors/index.ts';
import type { RunState, Trigger } from '../journal/index.ts';
import { digestOf, type Plan } from '../model/index.ts';
import { hasBegun } from './approval.ts';
import type { RunDeps } from './deps.ts';
import { Recorder } from './recorder.ts';
import type { Abandon } from './unfinished.ts';

export interface NewRun {
  readonly plan: Plan;
  /** @default 'person' */
  readonly trigger?: Trigger;
  readonly abandon?: Abandon;
}

/**
 * Journals a run without carrying it: `resumeRun` of any process begins it. @throws PLAN_REFUSED for a plan that was altered,
 * JOURNAL_BROKEN where the id is taken
 */
export async function createRun(
  { run, ...asked }: NewRun & { readonly run: string },
  deps: Pick<RunDeps, 'journal' | 'clock' | 'reporter' | 'by'>,
): Promise<RunState> {
  const { journal, clock, reporter, by } = deps;
  const recorder = new Recorder({ journal, clock, reporter, run, stack: asked.plan.stack });
  await recordNew(recorder, asked, by);
  await recorder.settled();
  return recorder.state;
}

/** The run's first entries. @throws as `createRun` */
export async function recordNew(
  recorder: Recorder,
  { plan, trigger, abandon }: NewRun,
  by: RunDeps['by'],
): Promise<void> {
  assertIntact(plan);
  const why = {
    ...(trigger === undefined || trigger === 'person' ? {} : { trigger }),
    ...(plan.undoes === undefined ? {} : { undoes: plan.undoes }),
    ...(abandon === undefined ? {} : { abandons: abandon }),
  };
  await recorder.append({ kind: 'run-created', plan, by, ...why });
  recorder.emit({ type: 'run.started', target: plan.target.said, plan: plan.hash });
  announceNeed(recorder);
}

/** Whether no process ever took the run up, the one that created it included. */
export function isUntouched(state: RunState): boolean {
  return state.phase === 'planned' && state.leases.length === 0 && state.resumed.length === 0 && !hasBegun(state);
}

/** Told once, when the run is created: who has to agree, before it or afterwards. */
function announceNeed(recorder: Recorder): void {
  const { plan, startedAt } = recorder.state;
  if (plan.approval === undefined) return;
  const { severity, roles, count, when, expiresMs, waived } = plan.approval;
  const until = new Date(Date.parse(startedAt) + expiresMs).toISOString();
  const why = waived === undefined ? {} : { waived };
  recorder.emit({ type: 'approval.needed', severity, roles, count, when, until, ...why });
}

/** What was shown is what is done (rule 2). */
export function assertIntact(plan: Plan): void {
  const { hash, ...content } = plan;
  if (digestOf(content) === hash) return;
  throw new BackstayError(
    'PLAN_REFUSED',
    `the plan for ${plan.stack} does not match its hash ${hash}: it was altered`,
    { next: 'Plan again.' },
  );
}
