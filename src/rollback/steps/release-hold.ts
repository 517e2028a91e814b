import { type Digest, shortId, type StepAction } from '../../model/index.ts';
import { addFact, stateOfRun } from '../after-end.ts';
import type { Executor, StepContext } from '../executor.ts';
import { heldId } from './record-after.ts';

type Release = Extract<StepAction, { kind: 'release-hold' }>;

/**
 * Lets go of what an undone run holds, now that the stack is where that run found it, and records in that run's journal
 * that it is undone. What somebody else holds, or has released already, stays as it is.
 */
export const releaseHold: Executor<Release> = async ({ run: undone }, context) => {
  const { run, deps, effect } = context;
  const state = await stateOfRun(undone, deps);
  const released = await releaseVersion(undone, heldId(state), context);
  await effect(
    async () =>
      await addFact(
        undone,
        (now) => (now.undone?.byRun === run ? undefined : { kind: 'undone', byRun: run, by: deps.by }),
        deps,
      ),
  );
  return {
    outcome: 'done',
    message: `run ${undone} is undone${released === undefined ? '' : `; ${shortId(released)} is held no more`}`,
    result: { run: undone, ...(released === undefined ? {} : { released }) },
  };
};

async function releaseVersion(
  undone: string,
  held: Digest | undefined,
  { run, state: { stack }, deps: { store }, effect }: StepContext,
): Promise<Digest | undefined> {
  if (held === undefined) return undefined;
  const { sighting } = await store.get(stack, held);
  if (sighting.record.held?.run !== undone) return undefined;
  await effect(
    async () => await store.annotate(stack, held, { held: null, note: `run ${undone} was undone by ${run}` }),
  );
  return held;
}
