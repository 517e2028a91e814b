import { fold, type JournalFact, type RunState } from '../../src/journal/index.ts';
import {
  type Change,
  type Json,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type Plan,
  refOf,
  type RunEventBody,
  type Step,
  type StepAction,
} from '../../src/model/index.ts';
import type { EngineResult, EngineUpdate } from '../../src/ports/index.ts';
import type { Moved, RunDeps, StepContext, StepResult } from '../../src/rollback/index.ts';
import type { Executor } from '../../src/rollback/executor.ts';
import { EXECUTORS } from '../../src/rollback/steps/index.ts';
import { aDeployment, type FakeCluster, type FakeClusterOptions, fakeCluster } from '../hooks/fake-cluster.ts';
import { journalOf } from '../support/journal.ts';
import { aPlan, aStack, aStep, fakeClock } from './builders.ts';

export const NOTHING: EngineResult = {
  created: [],
  updated: [],
  deleted: [],
  unchanged: [],
  failed: [],
  timings: { updateMs: 1, totalMs: 2, waitingMs: 0 },
  details: {},
};

export interface Given {
  readonly plan?: Partial<Omit<Plan, 'hash'>>;
  readonly cluster?: FakeClusterOptions;
  readonly moved?: readonly Moved[];
  readonly attempt?: number;
  readonly deps?: Partial<RunDeps>;
  /** Results of earlier steps, by kind of action. */
  readonly before?: Readonly<Partial<Record<StepAction['kind'], unknown>>>;
  /** Steps that are done already, whole, with their results. */
  readonly beforeSteps?: readonly { readonly step: Step; readonly result: unknown }[];
  readonly up?: (update: EngineUpdate, cluster: FakeCluster) => Promise<EngineResult>;
  readonly stack?: Parameters<typeof aStack>[0];
}

export interface Outcome {
  readonly result: StepResult;
  readonly cluster: FakeCluster;
  readonly events: readonly RunEventBody[];
  readonly updates: readonly EngineUpdate[];
}

export async function perform(action: StepAction, given: Given = {}): Promise<Outcome> {
  const cluster = fakeCluster(given.cluster);
  const events: RunEventBody[] = [];
  const updates: EngineUpdate[] = [];
  const stack = aStack(given.stack);
  const step = aStep('it', 'applied', { action });
  const deps = {
    stack,
    by: { user: 'ada', host: 'laptop' },
    journalName: 'here',
    cluster,
    clock: fakeClock(),
    observe: async () => ({ live: new Map(cluster.objects), moved: given.moved ?? [] }),
    store: {
      get: async (_stack: string, id: string) => ({ id }),
      secrets: async () => new Map(),
    },
    defaulted: async (objects: readonly KubeObject[]) => objects,
    hasher: {
      hide: (objects: readonly KubeObject[]) => ({ objects, secrets: new Map() }),
      reveal: (objects: readonly KubeObject[]) => objects.map((o) => ({ ...o, revealed: true })),
    },
    engine: {
      up: async (update: EngineUpdate) => {
        updates.push(update);
        return await (given.up?.(update, cluster) ?? Promise.resolve(NOTHING));
      },
    },
    ...given.deps,
  } as unknown as RunDeps;
  const context: StepContext = {
    run: 'r1',
    state: stateOf(
      { ...given.plan, steps: [...(given.plan?.steps ?? []), step] },
      given.before ?? {},
      given.beforeSteps,
    ),
    step,
    attempt: given.attempt ?? 1,
    deps,
    signal: new AbortController().signal,
    report: (event) => events.push(event),
    effect: async (act) => await act(),
  };
  const result = await (EXECUTORS[action.kind] as Executor)(action, context);
  return { result, cluster, events, updates };
}

/** A run in which steps of the given kinds are done, with these results. */
function stateOf(
  plan: Partial<Omit<Plan, 'hash'>>,
  before: Readonly<Record<string, unknown>>,
  whole: Given['beforeSteps'] = [],
): RunState {
  const done = Object.keys(before).map((kind) =>
    aStep(kind, 'safeguarded', { action: actionOf(kind as StepAction['kind']) }),
  );
  const made = aPlan({ ...plan, steps: [...done, ...whole.map(({ step }) => step), ...(plan.steps ?? [])] });
  const facts: JournalFact[] = [{ kind: 'run-created', plan: made, by: { user: 'ada', host: 'laptop' } }];
  for (const [kind, result] of [
    ...Object.entries(before),
    ...whole.map(({ step, result: seen }) => [step.id, seen] as const),
  ]) {
    facts.push({ kind: 'step-begin', step: kind, operation: kind, attempt: 1 });
    facts.push({ kind: 'step-end', step: kind, operation: kind, outcome: 'done', result: result as Json });
  }
  return fold(journalOf(facts));
}

function actionOf(kind: StepAction['kind']): StepAction {
  return { kind, when: 'before', names: [], workloads: [], objects: [] } as unknown as StepAction;
}

export function aChange(object: KubeObject, action: Change['action'], part: Partial<Change> = {}): Change {
  return { key: keyOf(object), ref: refOf(object), action, fields: [], takesOver: [], ...part };
}

export const CONFIG: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'config', namespace: 'production' },
  data: { BACKEND: 'mineru' },
};
export const LIVE_CONFIG: KubeObject = { ...CONFIG, data: { BACKEND: 'docling' } };
export const GATEWAY = aDeployment('gateway');
export const key = (object: KubeObject): ObjectKey => keyOf(object);
