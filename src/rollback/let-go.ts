import { type Digest, holdsInForce, type ObjectKey, type ObjectRef, type Plan } from '../model/index.ts';
import type { RunDeps } from './deps.ts';
import { unmarkHeld } from './steps/held-mark.ts';
import { type GiveBack, giveBack, type GivenBack } from './steps/suspensions.ts';

export interface LetGo {
  /** Snapshots that are held no more. */
  readonly released: readonly Digest[];
  /** Live workloads that say so no more. */
  readonly unmarked: readonly ObjectKey[];
}

export interface LetGoContext extends Omit<GiveBack, 'deps'> {
  readonly deps: Pick<RunDeps, 'cluster' | 'store' | 'stack'>;
}

/** What brings Git's version back and that a run with this plan keeps from it after its end. */
export function heldDeliveries({ steps, options }: Plan): readonly ObjectRef[] {
  if (!options.hold) return [];
  return steps.flatMap(({ action }) => (action.kind === 'suspend-sync' ? action.applications : []));
}

/** Lets Argo CD and Flux go on with what the run held, each exactly as it was. For `undo` and `finalize`. */
export async function letDeliveriesGo(plan: Plan, context: GiveBack): Promise<GivenBack> {
  return await giveBack(heldDeliveries(plan), context);
}

/**
 * Lets the version go that the run holds: every snapshot of it, those included that a later capture recognised, and the
 * marks on live workloads. `note` goes into the signed records.
 */
export async function letVersionGo(note: string, context: LetGoContext): Promise<LetGo> {
  const released = await releaseSnapshots(note, context);
  return { released, unmarked: await unmarkHeld(context.deps.stack.namespaces, context) };
}

/** As `letVersionGo`, but the records alone. */
export async function releaseSnapshots(
  note: string,
  {
    run,
    effect,
    deps: { store, stack },
  }: Omit<LetGoContext, 'deps'> & { readonly deps: Pick<RunDeps, 'store' | 'stack'> },
): Promise<readonly Digest[]> {
  const sightings = (await store.list(stack.name)).flatMap((entry) =>
    'record' in entry && entry.signature.state === 'trusted' ? [entry] : [],
  );
  const held = holdsInForce(sightings).filter((hold) => hold.run === run);
  for (const { id } of held) await effect(async () => await store.annotate(stack.name, id, { held: null, note }));
  return held.map(({ id }) => id);
}
