import type { ObjectProgress, Progress, StepProgress } from './run-fold.ts';
import type { Phase, Plan, RunView } from './types.ts';

/** In the order in which a run goes through them; a test compares it with the model, of which the page has types alone. */
export const PHASES: readonly Phase[] = [
  'planned',
  'locked',
  'frozen',
  'safeguarded',
  'quiesced',
  'restored',
  'applied',
  'resumed',
  'validated',
  'completed',
];

export interface Row {
  readonly id: string;
  readonly title: string;
  readonly step?: StepProgress;
}

export interface Part {
  readonly phase: Phase;
  readonly state: 'done' | 'now' | 'ahead';
  readonly durationMs?: number;
  readonly rows: readonly Row[];
  readonly objects: readonly (readonly [string, ObjectProgress])[];
}

/** The plan with what became of it, phase by phase; steps that no plan foresaw (what is taken back) come last. Pure. */
export function partsOf(plan: Plan | undefined, progress: Progress): readonly Part[] {
  const planned = new Set((plan?.steps ?? []).map(({ id }) => id));
  const extra = [...progress.steps].filter(([id]) => !planned.has(id));
  const entered = new Map(progress.phases.map((one) => [one.phase, one]));
  const phases = PHASES.filter(
    (phase) => entered.has(phase) || (plan?.steps ?? []).some((step) => step.phase === phase),
  );
  const isOver = progress.ended !== undefined;
  const parts = phases.map((phase): Part => {
    const visit = entered.get(phase);
    const isNow = !isOver && progress.phase === phase;
    return {
      phase,
      state: isNow ? 'now' : visit === undefined ? 'ahead' : 'done',
      ...(visit?.durationMs === undefined ? {} : { durationMs: visit.durationMs }),
      rows: (plan?.steps ?? [])
        .filter((step) => step.phase === phase)
        .map(({ id, title }) => rowOf(id, title, progress.steps.get(id))),
      objects: [...progress.objects].filter(([, object]) => object.phase === phase),
    };
  });
  if (extra.length === 0) return parts;
  const back = extra.map(([id, step]) => rowOf(id, step.title, step));
  const last: Part = {
    phase: progress.phase ?? 'planned',
    state: isOver ? 'done' : 'now',
    rows: back,
    objects: [],
  };
  return plan === undefined ? [last] : [...parts, last];
}

function rowOf(id: string, title: string, step: StepProgress | undefined): Row {
  return { id, title: step?.title ?? title, ...(step === undefined ? {} : { step }) };
}

/** How far a run is: steps that have an end, of all. Pure. */
export function shareDone(plan: Plan | undefined, { steps, ended }: Progress): { done: number; all: number } {
  const all = Math.max(plan?.steps.length ?? 0, 1);
  if (ended?.outcome === 'succeeded') return { done: all, all };
  const done = (plan?.steps ?? []).filter(({ id }) => {
    const status = steps.get(id)?.status;
    return status !== undefined && status !== 'begun';
  }).length;
  return { done, all };
}

/**
 * The word that says where a run is: its outcome; else, before it has begun or when it was cut off, what the service says, for
 * a decision is told by the events only when the run goes on; else what the events say. Pure.
 */
export function stateOf(view: RunView | undefined, progress: Progress): string {
  const outcome = progress.ended?.outcome ?? view?.outcome;
  if (outcome !== undefined) return outcome;
  const { approval, phase = 'planned' } = progress;
  if (view !== undefined && (phase === 'planned' || view.state === 'unfinished')) return view.state;
  if (phase !== 'planned') return 'running';
  return approval?.when === 'before' && approval.given < approval.count ? 'waiting' : 'queued';
}
