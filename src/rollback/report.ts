import type { RunState, StepState } from '../journal/index.ts';
import type { Change, CheckResult, Digest, Json, Outcome, Phase, Scope } from '../model/index.ts';
import { beforeId } from './steps/record-after.ts';
import { measuredChecks } from './steps/checks.ts';

/** A run as those see it who review it afterwards. Data only, from the journal alone; no values of fields, no secrets. */
export interface RunReport {
  readonly apiVersion: 'backstay.dev/v1';
  readonly kind: 'RunReport';
  readonly run: string;
  readonly stack: string;
  readonly clusterUid: string;
  readonly outcome: Outcome | 'unfinished';
  readonly because?: string;
  readonly by: { readonly user: string; readonly host: string };
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly target: { readonly id: Digest; readonly said: string; readonly labels: readonly string[] };
  readonly scope: Scope;
  readonly plan: Digest;
  readonly reason?: string;
  readonly incident?: string;
  /** Choices that took a guard away. */
  readonly overrides: readonly string[];
  readonly warnings: readonly string[];
  readonly changes: readonly ReportedChange[];
  readonly steps: readonly ReportedStep[];
  readonly phases: readonly { readonly phase: Phase; readonly durationMs: number }[];
  readonly time: TimeSpent;
  readonly checks: { readonly before: readonly CheckResult[]; readonly after: readonly CheckResult[] };
  readonly snapshots: { readonly before?: Digest; readonly after?: Digest; readonly held?: Digest };
  readonly resumes: readonly { readonly by: { readonly user: string; readonly host: string }; readonly at: string }[];
  readonly followUps: readonly string[];
}

export interface ReportedChange {
  readonly key: Change['key'];
  readonly action: Change['action'];
  readonly fields: readonly string[];
  readonly reason?: string;
}

export interface ReportedStep {
  readonly id: string;
  readonly title: string;
  readonly phase: Phase;
  readonly status: StepState['status'];
  readonly takenBack: boolean;
  readonly attempts: number;
  readonly durationMs?: number;
  readonly message?: string;
}

/** Where every millisecond went. `ownMs` is what neither the engine nor anything outside took. */
export interface TimeSpent {
  readonly totalMs: number;
  readonly engineMs: number;
  /** Of the engine's time: waiting for pods. */
  readonly waitingMs: number;
  readonly hooksMs: number;
  readonly checksMs: number;
  readonly ownMs: number;
}

export function reportOf(state: RunState): RunReport {
  const { plan, ended } = state;
  const before = beforeId(state);
  const recorded = resultOf(state, 'record-after');
  const endedAt = ended?.at ?? state.lastAt;
  return {
    apiVersion: 'backstay.dev/v1',
    kind: 'RunReport',
    run: state.run,
    stack: state.stack,
    clusterUid: plan.clusterUid,
    outcome: ended?.outcome ?? 'unfinished',
    ...(ended?.reason === undefined ? {} : { because: ended.reason }),
    by: state.by,
    startedAt: state.startedAt,
    ...(ended === undefined ? {} : { endedAt: ended.at }),
    target: plan.target,
    scope: plan.scope,
    plan: plan.hash,
    ...(plan.options.reason === undefined ? {} : { reason: plan.options.reason }),
    ...(plan.options.incident === undefined ? {} : { incident: plan.options.incident }),
    overrides: overridesOf(state),
    warnings: plan.warnings,
    changes: plan.changes.map(reportedChange),
    steps: [...state.steps.values()].map((step) => reportedStep(step, state.reverses.get(step.step.id))),
    phases: phaseTimes(state, endedAt),
    time: timeSpent(state, between(state.startedAt, endedAt)),
    checks: { before: measuredChecks(state, 'before'), after: measuredChecks(state, 'after') },
    snapshots: {
      ...(before === undefined ? {} : { before }),
      ...digestIn(recorded, 'id', 'after'),
      ...digestIn(recorded, 'held', 'held'),
    },
    resumes: state.resumed,
    followUps: followUps(state),
  };
}

function overridesOf({ plan: { options } }: RunState): readonly string[] {
  const flags: readonly (readonly [boolean, string])[] = [
    [options.emergency, '--emergency'],
    [options.skipValidation, '--skip-validation'],
    [options.exactReplicas, '--exact-replicas'],
    [options.allowClusterMismatch, '--allow-cluster-mismatch'],
    [options.allowUnsigned, '--allow-unsigned'],
    [options.deleteProtected, '--delete-protected'],
  ];
  return [
    ...flags.filter(([given]) => given).map(([, flag]) => flag),
    ...options.takeFrom.map((manager) => `--take ${manager}`),
  ];
}

function reportedChange({ key, action, fields, reason }: Change): ReportedChange {
  return { key, action, fields: fields.map(({ path }) => path), ...(reason === undefined ? {} : { reason }) };
}

function reportedStep(
  { step, status, attempts, message, ...times }: StepState,
  reverse: StepState | undefined,
): ReportedStep {
  const durationMs = durationOf(times);
  return {
    id: step.id,
    title: step.title,
    phase: step.phase,
    status,
    takenBack: reverse !== undefined && reverse.status !== 'failed' && reverse.status !== 'begun',
    attempts,
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(message === undefined ? {} : { message }),
  };
}

function phaseTimes(state: RunState, endedAt: string): RunReport['phases'] {
  return state.phases
    .map(({ phase, enteredAt }, i) => ({
      phase,
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

function followUps(state: RunState): readonly string[] {
  const { ended, stack, run } = state;
  const list: string[] = [];
  if (ended === undefined || ended.outcome === 'mixed')
    list.push(`Go on with \`backstay resume ${run}\`: the stack is between two states.`);
  if (ended?.outcome === 'unvalidated')
    list.push(`Validate the stack: \`backstay capture ${stack}\` measures its checks.`);
  for (const { step, status, message } of state.steps.values()) {
    if (status === 'warned') list.push(`Look at "${step.title}", which only warned: ${message ?? ''}`);
  }
  const held = (resultOf(state, 'record-after') as { held?: unknown } | undefined)?.held;
  if (typeof held === 'string')
    list.push(
      `The version that was rolled back from is held (${held.slice(0, 19)}…): find its cause before it is released.`,
    );
  return list;
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
