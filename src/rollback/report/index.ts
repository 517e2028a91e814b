import { downtimeOf, type JournalEntry, type RunState, type StepState } from '../../journal/index.ts';
import type { Change, Digest, Json, RunEvent, Step } from '../../model/index.ts';
import { lossInWords } from '../../plan/index.ts';
import { measuredChecks } from '../steps/checks.ts';
import { reportedLoss } from '../steps/migrations.ts';
import { beforeId } from '../steps/record-after.ts';
import { deadlineOf, findingsOf, followUps, postMortemDue } from './findings.ts';
import type {
  ChangedImage,
  ReportedChange,
  ReportedDowntime,
  ReportedObject,
  ReportedStep,
  RunReport,
  TimeSpent,
} from './types.ts';

export type * from './types.ts';

/** `entries` give the times of single objects, which the state does not keep; without them there are none. */
export function reportOf(state: RunState, entries: readonly JournalEntry[] = []): RunReport {
  const { plan, ended, undone, finalized } = state;
  const { options } = plan;
  const before = beforeId(state);
  const recorded = resultOf(state, 'record-after');
  const endedAt = ended?.at ?? state.workedAt;
  const due = postMortemDue(state);
  const deadline = deadlineOf(state);
  return {
    apiVersion: 'backstay.dev/v1',
    kind: 'RunReport',
    run: state.run,
    stack: state.stack,
    clusterUid: plan.clusterUid,
    outcome: ended?.outcome ?? 'unfinished',
    ...(ended?.reason === undefined ? {} : { because: ended.reason }),
    by: state.by,
    trigger: state.trigger,
    ...(options.severity === undefined ? {} : { severity: options.severity }),
    startedAt: state.startedAt,
    ...(deadline === undefined ? {} : { deadline }),
    ...(ended === undefined ? {} : { endedAt: ended.at }),
    from: { ...(before === undefined ? {} : { snapshot: before }), images: plan.changes.flatMap(changedImages) },
    target: plan.target,
    scope: plan.scope,
    plan: plan.hash,
    ...(options.reason === undefined ? {} : { reason: options.reason }),
    ...(options.incident === undefined ? {} : { incident: options.incident }),
    overrides: overridesOf(state),
    warnings: plan.warnings,
    changes: plan.changes.map(reportedChange),
    steps: [...state.steps.values()].map((step) => reportedStep(step, state.reverses.get(step.step.id))),
    phases: phaseTimes(state, endedAt),
    time: timeSpent(state, between(state.startedAt, endedAt)),
    downtime: downtimeOf(state).map(reportedDowntime),
    objects: objectsOf(entries),
    checks: { before: measuredChecks(state, 'before'), after: measuredChecks(state, 'after') },
    snapshots: {
      ...(before === undefined ? {} : { before }),
      ...digestIn(recorded, 'id', 'after'),
      ...digestIn(recorded, 'held', 'held'),
    },
    evidence: evidenceOf(state),
    dataLoss: [...state.steps.values()].flatMap(({ step, attempts }) => {
      const what = attempts === 0 ? undefined : lostBy(step, state);
      return what === undefined ? [] : [{ step: step.title, what }];
    }),
    ...(plan.scenarios === undefined ? {} : { scenarios: plan.scenarios }),
    approvals: state.approvals,
    ...(state.observation === undefined ? {} : { observation: state.observation }),
    takeovers: state.leases.filter(
      ({ from, reason, abandoned }) => from !== undefined && (reason !== 'released' || abandoned !== undefined),
    ),
    resumes: state.resumed,
    ...(state.undoes === undefined ? {} : { undoes: state.undoes }),
    ...(undone === undefined ? {} : { undone }),
    ...(finalized === undefined ? {} : { finalized }),
    findings: findingsOf(state),
    followUps: followUps(state),
    ...(due === undefined ? {} : { postMortemDue: due }),
  };
}

/** A migration was rehearsed: what that told is better than what the plan feared. */
function lostBy({ action, dataLoss }: Step, state: RunState): string | undefined {
  const told = action.kind === 'migrate' ? reportedLoss(state, action.store) : undefined;
  return told === undefined ? dataLoss : lossInWords(told);
}

function overridesOf({ plan: { options, scenarios } }: RunState): readonly string[] {
  const flags: readonly (readonly [boolean, string])[] = [
    [options.emergency, '--emergency'],
    [options.skipValidation, '--skip-validation'],
    [options.exactReplicas, '--exact-replicas'],
    [options.allowClusterMismatch, '--allow-cluster-mismatch'],
    [options.allowUnsigned, '--allow-unsigned'],
    [options.allowUnknownImages, '--allow-unknown-images'],
    [options.deleteProtected, '--delete-protected'],
    [options.allowHeld === true, '--allow-held'],
    [options.force?.pods === true, '--force-pods'],
    [options.force?.finalizers === true, '--force-finalizers'],
    [options.breakGlass === true, '--break-glass'],
    [options.data?.skipBackup === true, '--skip-database-backup'],
  ];
  return [
    ...flags.filter(([given]) => given).map(([, flag]) => flag),
    ...options.takeFrom.map((manager) => `--take ${manager}`),
    ...(options.force?.replace ?? []).map((name) => `--force-replace ${name}`),
    ...(scenarios ?? []).flatMap(({ store, scenario, forcedBy }) =>
      forcedBy === 'user' ? [`--scenario ${store}=${scenario}`] : [],
    ),
    ...(options.data?.acceptLoss ?? []).map((digest) => `--accept-data-loss ${digest}`),
  ];
}

function reportedChange({ key, action, fields, reason }: Change): ReportedChange {
  return { key, action, fields: fields.map(({ path }) => path), ...(reason === undefined ? {} : { reason }) };
}

/** Names of images are no secrets, and they are what people know a version by. */
function changedImages({ key, fields }: Change): readonly ChangedImage[] {
  return fields
    .filter(({ path, secret }) => path.endsWith('].image') && secret === undefined)
    .map(({ path, before, after }) => ({
      object: key,
      path,
      ...(typeof before === 'string' ? { from: before } : {}),
      ...(typeof after === 'string' ? { to: after } : {}),
    }));
}

function reportedStep(state: StepState, reverse: StepState | undefined): ReportedStep {
  const { step, status, attempts, message, beganAt, endedAt } = state;
  const durationMs = durationOf(state);
  return {
    id: step.id,
    title: step.title,
    phase: step.phase,
    status,
    takenBack: reverse !== undefined && reverse.status !== 'failed' && reverse.status !== 'begun',
    attempts,
    ...timesOf({ beganAt, endedAt }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(step.expected === undefined ? {} : { expectedMs: step.expected.ms }),
    ...(message === undefined ? {} : { message }),
    ...(reverse === undefined
      ? {}
      : {
          reverse: {
            status: reverse.status,
            ...timesOf(reverse),
            ...(reverse.message === undefined ? {} : { message: reverse.message }),
          },
        }),
  };
}

function timesOf({
  beganAt,
  endedAt,
}: {
  readonly beganAt?: string | undefined;
  readonly endedAt?: string | undefined;
}): {
  readonly beganAt?: string;
  readonly endedAt?: string;
} {
  return { ...(beganAt === undefined ? {} : { beganAt }), ...(endedAt === undefined ? {} : { endedAt }) };
}

function phaseTimes(state: RunState, endedAt: string): RunReport['phases'] {
  return state.phases
    .map(({ phase, enteredAt }, i) => ({
      phase,
      from: enteredAt,
      durationMs: between(enteredAt, state.phases[i + 1]?.enteredAt ?? endedAt),
    }))
    .filter(({ phase }) => phase !== 'planned');
}

function timeSpent(state: RunState, totalMs: number): TimeSpent {
  const timings = (resultOf(state, 'apply') as { timings?: { totalMs?: number; waitingMs?: number } } | undefined)
    ?.timings;
  const engineMs = Math.round(timings?.totalMs ?? 0);
  const waitingMs = Math.round(timings?.waitingMs ?? 0);
  const hooksMs = sumOf(state, 'hook');
  const checksMs = sumOf(state, 'checks') + sumOf(state, 'confirm-context');
  // What the apply step took beside the engine is waiting for restarted pods, and reading live again.
  return {
    totalMs,
    engineMs,
    waitingMs,
    hooksMs,
    checksMs,
    ownMs: Math.max(0, totalMs - engineMs - hooksMs - checksMs),
  };
}

function sumOf(state: RunState, kind: string): number {
  const own = [...state.steps.values()].filter(({ step }) => step.action.kind === kind);
  return own.reduce((sum, step) => sum + (durationOf(step) ?? 0), 0);
}

function reportedDowntime({
  probe,
  upMs,
  downMs,
  unknownMs,
  spans,
}: ReturnType<typeof downtimeOf>[number]): ReportedDowntime {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    probe,
    upMs,
    downMs,
    unknownMs,
    spans: spans.map(({ verdict, from, to, reason }) => ({ verdict, from: iso(from), to: iso(to), reason })),
  };
}

function objectsOf(entries: readonly JournalEntry[]): readonly ReportedObject[] {
  const found = new Map<string, ReportedObject>();
  for (const entry of entries) {
    if (entry.kind !== 'event' || entry.event.type !== 'object.progress') continue;
    const { object: key, state, time: to }: Extract<RunEvent, { type: 'object.progress' }> = entry.event;
    found.set(key, { key, from: found.get(key)?.from ?? to, to, state });
  }
  return [...found.values()];
}

/** As the evidence step's result says; the folder is this machine's and tells nobody else anything. */
function evidenceOf(state: RunState): RunReport['evidence'] {
  const result = resultOf(state, 'evidence') as { path?: unknown; digest?: unknown } | undefined;
  if (typeof result?.path !== 'string') return [];
  const name = result.path.split('/').at(-1) ?? result.path;
  return [{ name, ...(typeof result.digest === 'string' ? { digest: result.digest } : {}) }];
}

function resultOf(state: RunState, kind: string): Json | undefined {
  return [...state.steps.values()].find(({ step }) => step.action.kind === kind)?.result;
}

function digestIn(
  result: Json | undefined,
  field: string,
  name: 'after' | 'held',
): { readonly [K in 'after' | 'held']?: Digest } {
  const value = (result as Readonly<Record<string, unknown>> | undefined)?.[field];
  return typeof value === 'string' ? { [name]: value as Digest } : {};
}

function durationOf({ beganAt, endedAt }: Pick<StepState, 'beganAt' | 'endedAt'>): number | undefined {
  return beganAt === undefined || endedAt === undefined ? undefined : between(beganAt, endedAt);
}

function between(from: string, to: string): number {
  return Date.parse(to) - Date.parse(from);
}
