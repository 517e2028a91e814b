import {
  type Change,
  type Digest,
  digestOf,
  type ForeignField,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type ObjectRef,
  type Plan,
  type PlanOptions,
  type Scope,
  type Stack,
  type Step,
  type StoreScenario,
} from '../model/index.ts';
import { keepsFromReturning } from './return.ts';
import { policyOf } from './policy.ts';
import type { PlannedMaintenance, PlannedQuiesce } from './quiesce-steps.ts';
import { riskOfPlan } from './risk.ts';
import { planSteps } from './steps.ts';
import type { PlannedMigration } from './migration-steps.ts';
import type { PlannedRestore } from './store-steps.ts';

export interface PlanInput {
  readonly stack: Stack;
  readonly clusterUid: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly scope: Scope;
  readonly target: Plan['target'];
  readonly live: Digest;
  readonly foreign: readonly ForeignField[];
  readonly changes: readonly Change[];
  readonly desired: readonly KubeObject[];
  readonly warnings: readonly string[];
  /** Deployments whose last change is not through yet. */
  readonly rollingOut: ReadonlySet<ObjectKey>;
  /** Autoscalers of what changes. Absent: none. */
  readonly autoscalers?: readonly ObjectRef[];
  /** What brings Git's version back and is held, each as it is served. Absent: none. */
  readonly deliveries?: readonly ObjectRef[];
  /** Data stores that are taken back as well. Absent: none. */
  readonly restores?: readonly PlannedRestore[];
  /** Data stores that are migrated as well. Absent: none. */
  readonly migrations?: readonly PlannedMigration[];
  /** What becomes of data stores, as it was chosen. Absent: nothing was. */
  readonly scenarios?: readonly StoreScenario[];
  /** Data stores whose exchange by the run that is undone is taken back. Absent: none. */
  readonly exchanged?: readonly string[];
  /** Data stores that are backed up together, while nobody writes. Absent: none. */
  readonly backups?: readonly string[];
  /** What must not write meanwhile. Absent: nothing is stopped. */
  readonly quiesce?: PlannedQuiesce;
  /** How the stack is closed meanwhile. Absent: it is not. */
  readonly maintenance?: PlannedMaintenance;
  /** Objects to be created whose former life is still on its way out. Absent: none. */
  readonly leaving?: readonly ObjectKey[];
  /** Workloads with pods that hang. Absent: none. */
  readonly hanging?: readonly ObjectKey[];
  readonly options: PlanOptions;
  /** What the user or the stack's policy wants; the plan halts all the same where a step cannot be taken back. */
  readonly onInvalid?: 'halt' | 'return';
  /** The run whose effect this plan takes back. */
  readonly undoes?: string;
  /** How long steps took in earlier runs. Absent: nothing is known. */
  readonly expected?: (step: Step) => Step['expected'];
}

/** The frozen plan. Pure: the same input gives the same plan and the same hash. */
export function makePlan(input: PlanInput): Plan {
  const { stack, changes, options } = input;
  const steps = planSteps(input).map((step) => {
    const expected = input.expected?.(step);
    return expected === undefined ? step : { ...step, expected };
  });
  const obstacles = input.onInvalid === 'return' ? obstaclesTo({ stack, changes, steps }) : [];
  const plan: Omit<Plan, 'hash'> = {
    apiVersion: 'backstay.dev/v1',
    kind: 'Plan',
    stack: stack.name,
    clusterUid: input.clusterUid,
    createdAt: input.createdAt,
    scope: input.scope,
    target: input.target,
    live: input.live,
    foreign: input.foreign,
    changes,
    desired: [...input.desired].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
    steps,
    warnings: [
      ...input.warnings,
      ...(obstacles.length > 0
        ? [`failed checks will halt the run instead of returning it to before: ${obstacles.join('; ')}`]
        : []),
    ],
    risk: riskOfPlan(changes, steps, options),
    options,
    ...policyOf(stack.approvals, options),
    ...(input.onInvalid === 'return' && obstacles.length === 0 ? { onInvalid: 'return' as const } : {}),
    ...(input.undoes === undefined ? {} : { undoes: input.undoes }),
    ...(input.scenarios === undefined || input.scenarios.length === 0 ? {} : { scenarios: input.scenarios }),
  };
  return { ...plan, hash: hashOfPlan(plan) };
}

/** A plan without objects has nothing that a return could bring back. */
function obstaclesTo(plan: Parameters<typeof keepsFromReturning>[0]): readonly string[] {
  const known = keepsFromReturning(plan);
  const returns = plan.steps.some(({ reverse }) => reverse?.kind === 'return-before');
  return known.length > 0 || returns ? known : ['no object is changed'];
}

/** What an approval is bound to: everything of the plan but the hash itself. */
export function hashOfPlan(plan: Omit<Plan, 'hash'> & { readonly hash?: Digest }): Digest {
  const { hash: _, ...rest } = plan;
  return digestOf(rest);
}
