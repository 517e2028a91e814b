import { BackstayError, isBackstayError, didYouMean } from '../errors/index.ts';
import { validateTemplate } from '../hooks/index.ts';
import { type Expectation, expectationOf } from '../journal/index.ts';
import {
  type Digest,
  type ForeignField,
  type Hold,
  holdOn,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type Plan,
  type PlanOptions,
  refOf,
  roleOf,
  type Scope,
  shortId,
  type Snapshot,
  type Stack,
} from '../model/index.ts';
import {
  checkMoved,
  effectiveForeign,
  forcesAlone,
  isRollingOut,
  makePlan,
  type Moved,
  type Refusal,
} from '../plan/index.ts';
import type { ClusterIdentity, JournalStore } from '../ports/index.ts';
import { type Inventory, takeInventory } from './inventory.ts';
import { type DataDeps, planData } from './plan-data.ts';
import { quiesceForData, union } from './plan-quiesce.ts';
import { holdsFor } from './plan-holds.ts';
import { parted, trustedAmong } from './snapshots.ts';
import { type CompareDeps, type Compared, compareWithLive } from './plan-compare.ts';
import { resolveTarget } from './targets.ts';

export interface PlanDeps extends CompareDeps, Omit<DataDeps, 'stack'> {
  /** Opened for the durations of earlier runs alone. Absent: the plan foresees none. */
  readonly pastRuns?: () => Promise<JournalStore>;
}

export interface PlanRequest {
  /** As it was typed; undefined lists the choices (TARGET_MISSING). */
  readonly target: string | undefined;
  readonly scope: Scope;
  readonly options: PlanOptions;
  /** What is done when the checks fail at the target. @default the stack's policy */
  readonly onInvalid?: 'halt' | 'return';
  /** The run that is taken back by going to `target`, which is the snapshot that it took before it acted. */
  readonly undoes?: string;
  /** Data stores that the undone run exchanged. */
  readonly exchanged?: readonly string[];
  readonly signal?: AbortSignal;
}

export interface InventorySummary {
  readonly identity: ClusterIdentity;
  readonly objects: number;
  readonly flags: Inventory['flags'];
}

export type PlanResult =
  | { readonly kind: 'planned'; readonly plan: Plan; readonly target: Snapshot; readonly inventory: InventorySummary }
  | {
      readonly kind: 'nothing-to-do';
      readonly target: Snapshot;
      readonly inventory: InventorySummary;
      readonly warnings: readonly string[];
    };

/** The choices of a user who chose nothing. */
export const NO_OPTIONS: PlanOptions = {
  emergency: false,
  skipValidation: false,
  validateBefore: false,
  exactReplicas: false,
  allowClusterMismatch: false,
  allowUnsigned: false,
  takeFrom: [],
  deleteProtected: false,
  hold: true,
  allowUnknownImages: false,
};

/**
 * What a rollback would do, frozen. Changes nothing in the cluster. Errors: those of the target (TARGET_*, SNAPSHOT_*), of
 * the keys (KEY_MISSING, SECRETS_UNREADABLE), of the cluster, and what refuses the plan: CLUSTER_MISMATCH, KIND_UNKNOWN,
 * OBJECT_CONFLICT, IMAGE_UNPULLABLE, IMAGE_UNKNOWN, PLAN_REFUSED; `details.all` has the other refusals.
 */
export async function planRollback(request: PlanRequest, deps: PlanDeps): Promise<PlanResult> {
  const { stack, store, clock } = deps;
  const { scope, options, signal } = request;
  requireKnownPlaceholders(stack);
  requireKnownSeverity(stack, options);
  const expecting = expectationFor(stack.name, deps);
  const inventory = await takeInventory(deps.cluster, stack, signal === undefined ? {} : { signal });
  requireClusterOfStack(inventory.identity, stack, options);
  const target = await resolveTarget(request.target, { inventory, allowUnsigned: options.allowUnsigned }, deps);
  requireClusterOfTarget(inventory.identity, target, options);
  const hold = await holdOfTarget(target, request, deps);
  // Before anything is shown: a plan whose secrets, or whose way back, cannot be opened is no plan.
  await store.proveKeys(stack.name, target);
  const compared = await compareWithLive(
    { inventory, target, scope, options, ...(signal === undefined ? {} : { signal }) },
    deps,
  );
  refuse(compared.refusals);
  const summary: InventorySummary = {
    identity: inventory.identity,
    objects: inventory.objects.length,
    flags: inventory.flags,
  };
  const { undoes, exchanged = [], onInvalid = stack.onInvalid } = request;
  const data = await planData(
    { target, scope, options, exchanged, ...(undoes === undefined ? {} : { undoes }) },
    deps,
    await expecting,
  );
  const holds = await holdsFor(
    { changes: compared.changes, desired: compared.desired, inventory, options },
    { stack, cluster: deps.cluster, clock },
  );
  const quiesced = quiesceForData(data, exchanged, { live: inventory.live, desired: compared.desired, options }, stack);
  const warnings = [
    ...aboutTarget(target, hold),
    ...compared.warnings,
    ...holds.warnings,
    ...data.warnings,
    ...quiesced.warnings,
  ];
  const moves = data.restores.length + data.migrations.length > 0;
  const acts = moves || !quiesced.isNothing || forcesAlone({ options, hanging: holds.hanging });
  if (compared.changes.length === 0 && undoes === undefined && !acts)
    return { kind: 'nothing-to-do', target, inventory: summary, warnings };
  const plan = makePlan({
    stack,
    clusterUid: inventory.identity.uid,
    createdAt: new Date(clock.now()).toISOString(),
    scope,
    target: { id: target.id, said: saidOf(request), labels: target.sighting.record.labels },
    live: compared.live,
    foreign: compared.foreign,
    changes: compared.changes,
    desired: compared.desired,
    warnings,
    rollingOut: new Set([...inventory.live].filter(([, object]) => isRollingOut(object)).map(([key]) => key)),
    options,
    autoscalers: union(holds.autoscalers, quiesced.autoscalers),
    ...quiesced.parts,
    deliveries: holds.deliveries,
    leaving: holds.leaving,
    restores: data.restores,
    migrations: data.migrations,
    scenarios: data.scenarios,
    hanging: holds.hanging,
    onInvalid,
    ...(undoes === undefined ? {} : { undoes, exchanged }),
    expected: await expecting,
  });
  return { kind: 'planned', plan, target, inventory: summary };
}

/** Older runs were of another stack in all but its name. */
const RUNS_ASKED = 20;

/** Never a reason not to plan: what is not known is not foreseen. */
async function expectationFor(stack: string, { pastRuns }: PlanDeps): Promise<Expectation> {
  try {
    const journal = await pastRuns?.();
    const runs = (await journal?.runs(stack)) ?? [];
    const read = await Promise.all(runs.slice(0, RUNS_ASKED).map(async ({ run }) => (await journal?.read(run)) ?? []));
    return expectationOf(read);
  } catch (error) {
    if (!isBackstayError(error)) throw error;
    return () => undefined;
  }
}

export interface ObservedPlan {
  /** Live objects of the stack as the server sent them, Secret values hashed, in the versions that the plan uses. */
  readonly live: ReadonlyMap<ObjectKey, KubeObject>;
  readonly moved: readonly Moved[];
}

/** One look at the live stack for a run: what is there, and what is not as the plan saw it. */
export async function observePlan(
  plan: Plan,
  { stack, cluster, hasher }: Pick<PlanDeps, 'stack' | 'cluster' | 'hasher'>,
): Promise<ObservedPlan> {
  const inventory = await takeInventory(cluster, stack);
  const versions = new Map(plan.desired.map((object) => [keyOf(object), object.apiVersion]));
  const read = await Promise.all(
    [...inventory.live].map(async ([key, object]) => {
      const apiVersion = versions.get(key) ?? object.apiVersion;
      return apiVersion === object.apiVersion
        ? object
        : ((await cluster.get({ ...refOf(object), apiVersion })) ?? object);
    }),
  );
  const live = new Map(hasher.hide(read).objects.map((object) => [keyOf(object), object]));
  const moved = checkMoved({
    plan,
    live,
    role: (object) => roleOf(object, stack),
    foreign: foreignOf(plan, stack, [...live.values()]),
  });
  return { live, moved };
}

/**
 * What lies between live and the snapshot that a run took, in the plan's scope. Exact, also where replicas are fewer than
 * live: a run takes back what it did itself. @throws what refuses a plan
 */
export async function compareForReturn(
  { scope, options }: Pick<Plan, 'scope' | 'options'>,
  snapshot: Digest,
  deps: PlanDeps,
  signal?: AbortSignal,
): Promise<Compared> {
  const asked = signal === undefined ? {} : { signal };
  const inventory = await takeInventory(deps.cluster, deps.stack, asked);
  const target = await deps.store.get(deps.stack.name, snapshot);
  // These images ran until a moment ago; whoever asks for them now has no better choice.
  const exact: PlanOptions = { ...options, exactReplicas: true, allowUnknownImages: true };
  const compared = await compareWithLive({ inventory, target, scope, options: exact, ...asked }, deps);
  refuse(compared.refusals);
  return compared;
}

function foreignOf(plan: Plan, stack: Stack, live: readonly KubeObject[]): readonly ForeignField[] {
  return plan.foreign ?? effectiveForeign(stack.foreign, [...live, ...plan.desired]);
}

export function requireClusterOfStack(
  identity: ClusterIdentity,
  stack: Stack,
  { allowClusterMismatch }: Pick<PlanOptions, 'allowClusterMismatch'>,
): void {
  const { uid } = stack.cluster;
  if (uid === undefined || uid === identity.uid || allowClusterMismatch) return;
  throw new BackstayError(
    'CLUSTER_MISMATCH',
    `The stack ${stack.name} belongs to cluster ${uid}; ${identity.server} is ${identity.uid}.`,
    {
      next: 'Choose the right --context; or pass --allow-cluster-mismatch if that is what you want.',
      details: { expected: uid, found: identity.uid },
    },
  );
}

/** Asked before anything is shown: a text that says `{{who}}` in the channel at 3 a.m. helps nobody. */
export function requireKnownPlaceholders({ hooks, file }: Stack): void {
  const problems = hooks.flatMap(validateTemplate);
  if (problems.length > 0) throw new BackstayError('STACK_INVALID', problems.join('; '), { at: { file } });
}

function requireKnownSeverity({ name, approvals }: Stack, { severity }: PlanOptions): void {
  if (severity === undefined || Object.hasOwn(approvals.severities, severity)) return;
  const known = Object.keys(approvals.severities);
  const near = didYouMean(severity, known);
  const there = known.length === 0 ? 'the stack file declares none' : `there are ${known.join(', ')}`;
  throw new BackstayError('USAGE', `The stack ${name} knows no severity ${severity}: ${there}.`, {
    ...(near === undefined ? {} : { next: `Did you mean --severity ${near}?` }),
    details: { severities: known },
  });
}

/** Imported manifests name no cluster and fit every one. */
function requireClusterOfTarget(
  identity: ClusterIdentity,
  { content }: Snapshot,
  options: Pick<PlanOptions, 'allowClusterMismatch'>,
): void {
  if (content.clusterUid === undefined || content.clusterUid === identity.uid || options.allowClusterMismatch) return;
  throw new BackstayError(
    'CLUSTER_MISMATCH',
    `The snapshot was captured on cluster ${content.clusterUid}; ${identity.server} is ${identity.uid}.`,
    {
      details: { expected: content.clusterUid, found: identity.uid },
    },
  );
}

const FIRST: readonly Refusal['code'][] = [
  'KIND_UNKNOWN',
  'PLAN_REFUSED',
  'OBJECT_CONFLICT',
  'IMAGE_UNPULLABLE',
  'IMAGE_UNKNOWN',
];

function refuse(refusals: readonly Refusal[]): void {
  const [first, ...others] = [...refusals].sort((a, b) => FIRST.indexOf(a.code) - FIRST.indexOf(b.code));
  if (first === undefined) return;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  throw new BackstayError(first.code, `${first.message}${more}`, {
    ...(first.next === undefined ? {} : { next: first.next }),
    details: { ...first.details, all: refusals.map(({ code, message, details }) => ({ code, message, ...details })) },
  });
}

function saidOf({ target = '', undoes }: PlanRequest): string {
  return undoes === undefined ? target : `before ${undoes}`;
}

/**
 * Why the target is held, by its id or because it is the same version. Undoing a run lets go of what it holds: that is no
 * hold. @throws PLAN_REFUSED for a release of a version that failed
 */
async function holdOfTarget(
  { id, content, sighting: { record } }: Snapshot,
  { undoes, options }: PlanRequest,
  { stack, store }: PlanDeps,
): Promise<Hold | undefined> {
  const { imageDigests } = record;
  const seen = { content, ...(imageDigests === undefined ? {} : { digests: imageDigests }) };
  const known = parted(await store.list(stack.name)).sightings;
  const hold = holdOn(seen, id, trustedAmong(known));
  if (hold === undefined || hold.run === undoes) return undefined;
  if (options.hold || undoes !== undefined || options.allowHeld === true) return hold;
  const what = hold.id === id ? 'The target' : `The target is the version of ${shortId(hold.id)}, which`;
  throw new BackstayError('PLAN_REFUSED', `${what} is held: run ${hold.run} went back from it (${hold.reason}).`, {
    next: `Release it with \`backstay release ${stack.name} ${shortId(hold.id)} --reason …\`, or pass --allow-held.`,
    details: { flag: '--allow-held', run: hold.run, snapshot: hold.id },
  });
}

function aboutTarget(
  { content, sighting: { record, signature } }: Snapshot,
  hold: Hold | undefined,
): readonly string[] {
  const warnings: string[] = [];
  if (hold !== undefined) warnings.push(`the target is held: run ${hold.run} went back from it (${hold.reason})`);
  if (record.verdict === 'fail') warnings.push('the checks of the target failed when they were last asked');
  if (signature.state !== 'trusted') warnings.push('the target is not signed by a trusted key');
  if (content.clusterUid === undefined) warnings.push('the target is of imported manifests, which name no cluster');
  return warnings;
}
