import { isBackstayError } from '../../errors/index.ts';
import {
  type Change,
  capturedForm,
  displayName,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type Plan,
} from '../../model/index.ts';
import { sameForm } from '../../plan/index.ts';
import type { EngineResult, EngineUpdate, Permit } from '../../ports/index.ts';
import type { Moved, Observation } from '../deps.ts';
import type { Executor, StepContext, StepResult } from '../executor.ts';
import { helpForPods } from './force-pods.ts';
import { staleResult } from './moved.ts';
import { isForced } from './prune.ts';
import { releaseRollouts } from './rollouts.ts';

/**
 * Carries the plan's objects into the cluster: one `up` of the engine, permitted exactly what the plan names. Safe to
 * repeat: what is at the target already is left alone.
 */
export const apply: Executor = async (_action, context) => {
  const { state, deps } = context;
  const { plan } = state;
  // A held rollout would never become ready. What must not move while data is restored is over by now.
  await releaseRollouts(heldBy(plan), context);
  const seen = await deps.observe(plan);
  const strange = seen.moved.filter((moved) => !isOurs(moved, seen, context));
  if (strange.length > 0) return staleResult(state.stack, strange);
  const objects = await realObjects(context);
  // What a later step forces is not waited for here.
  const changes = plan.changes.filter(({ key, action }) => action !== 'delete' || !isForced(key, plan));
  const permit = permitFor(changes, seen, plan.options.takeFrom);
  const updated = await engineUp({ objects, permit, ...orderIn(plan) }, context);
  if ('outcome' in updated) return updated;
  return {
    outcome: 'done',
    message: describe(updated),
    result: {
      created: updated.created,
      updated: updated.updated,
      deleted: updated.deleted,
      timings: updated.timings,
    },
  };
};

function heldBy({ steps }: Plan): readonly ObjectKey[] {
  return steps.flatMap(({ action }) => (action.kind === 'pause-rollouts' ? action.workloads : []));
}

/** A former attempt of this run may have brought the object where the plan wants it: that is not somebody else's change. */
function isOurs({ key }: Moved, { live }: Observation, { state, deps, attempt }: StepContext): boolean {
  const change = state.plan.changes.find((c) => c.key === key);
  if (change === undefined || attempt === 1) return false;
  const now = live.get(key);
  if (now === undefined) return change.action === 'delete' || change.action === 'replace';
  const wanted = state.plan.desired.find((object) => keyOf(object) === key);
  const foreign = state.plan.foreign ?? deps.stack.foreign;
  return wanted !== undefined && sameForm(capturedForm(now, foreign), capturedForm(wanted, foreign));
}

/** Of a way back as well: it is a plan with the same steps. */
function orderIn({ steps }: Plan): Pick<EngineUpdate, 'order'> {
  const order = steps.flatMap(({ action }) => (action.kind === 'apply' ? (action.order ?? []) : []));
  return order.length === 0 ? {} : { order };
}

async function realObjects({ state, deps }: StepContext): Promise<readonly KubeObject[]> {
  const { plan } = state;
  const target = await deps.store.get(plan.stack, plan.target.id, { allowUnsigned: plan.options.allowUnsigned });
  const secrets = await deps.store.secrets(plan.stack, target);
  return deps.hasher.reveal(plan.desired, secrets);
}

/** Exactly what the plan names, bound to the versions that were just compared with it. */
export function permitFor(changes: readonly Change[], { live }: Observation, takeFrom: readonly string[]): Permit {
  const of = (...actions: readonly Change['action'][]): ReadonlySet<ObjectKey> =>
    new Set(changes.filter((change) => actions.includes(change.action)).map(({ key }) => key));
  const versionOf = (key: ObjectKey): readonly (readonly [ObjectKey, string])[] => {
    const version = live.get(key)?.metadata.resourceVersion;
    return version === undefined ? [] : [[key, version]];
  };
  const deletions = changes.filter((change) => change.action === 'delete');
  return {
    create: of('create'),
    // A restart is a new digest of what the pods read, on their template.
    update: of('update', 'restart'),
    replace: of('replace'),
    delete: new Map(deletions.map((change) => [change.key, preconditions(change, live.get(change.key))])),
    observed: new Map(changes.flatMap(({ key }) => versionOf(key))),
    takeFrom,
  };
}

function preconditions(
  change: Change,
  live: KubeObject | undefined,
): { readonly uid?: string; readonly resourceVersion?: string } {
  const uid = change.uid ?? live?.metadata.uid;
  const resourceVersion = live?.metadata.resourceVersion ?? change.resourceVersion;
  return { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) };
}

async function engineUp(
  what: Pick<EngineUpdate, 'objects' | 'permit' | 'order'>,
  context: StepContext,
): Promise<EngineResult | StepResult> {
  const { deps, state, signal, effect, report } = context;
  const told = new Map<ObjectKey, string>();
  const result = await effect(
    async () =>
      await deps.engine.up({
        ...what,
        signal,
        readyTimeoutMs: deps.stack.readyTimeoutMs,
        onProgress: ({ key, state, message }) => {
          // Watches repeat themselves; people need each thing said once.
          if (told.get(key) === `${state} ${message}`) return;
          told.set(key, `${state} ${message}`);
          report({ type: 'object.progress', object: key, state, message });
        },
      }),
  ).catch((error: unknown) => error);
  if (isEngineResult(result)) {
    if (result.failed.length === 0) return result;
    const said = result.failed.map(({ key, message }) => `${displayName(key)}: ${message}`).join('; ');
    const changed = result.created.length + result.updated.length + result.deleted.length > 0;
    const help = await helpForPods(state.plan, deps);
    return {
      outcome: 'failed',
      code: 'ENGINE_FAILED',
      message: `${said}${help}`,
      ...(await touched(context, changed)),
    };
  }
  if (isBackstayError(result, 'LEASE_LOST')) throw result;
  const code = isBackstayError(result) ? result.code : signal.aborted ? 'CANCELLED' : 'ENGINE_FAILED';
  const message = result instanceof Error ? result.message : String(result);
  return { outcome: 'failed', code, message, ...(await touched(context, false)) };
}

function isEngineResult(value: unknown): value is EngineResult {
  return (
    typeof value === 'object' && value !== null && !(value instanceof Error) && 'failed' in value && 'timings' in value
  );
}

/** Measured, not assumed: when live still is what the plan saw, the failure changed nothing and the run may go back. */
async function touched({ state, deps }: StepContext, known: boolean): Promise<{ readonly touched: boolean }> {
  if (known) return { touched: true };
  try {
    const { moved } = await deps.observe(state.plan);
    return { touched: moved.length > 0 };
  } catch {
    return { touched: true };
  }
}

function describe(result: EngineResult): string {
  const counts: readonly (readonly [number, string])[] = [
    [result.created.length, 'created'],
    [result.updated.length, 'updated'],
    [result.deleted.length, 'deleted'],
  ];
  const said = counts.filter(([count]) => count > 0).map(([count, verb]) => `${count} ${verb}`);
  return said.length === 0 ? 'nothing was left to do' : said.join(', ');
}
