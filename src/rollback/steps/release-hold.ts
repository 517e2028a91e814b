import { displayName, keyOf, shortId, type StepAction } from '../../model/index.ts';
import { addFact, stateOfRun } from '../after-end.ts';
import type { Executor } from '../executor.ts';
import { isOver } from '../unfinished.ts';
import { letDeliveriesGo, letVersionGo } from '../let-go.ts';

type Release = Extract<StepAction, { kind: 'release-hold' }>;

/**
 * Lets go of what an undone run holds, now that the stack is where that run found it, and records in that run's journal
 * that it is undone. What somebody else holds, or has released already, stays as it is.
 */
export const releaseHold: Executor<Release> = async ({ run: undone }, context) => {
  const { run, deps, effect } = context;
  const state = await stateOfRun(undone, deps);
  const its = { ...context, run: undone };
  const { released } = await letVersionGo(`run ${undone} was undone by ${run}`, its);
  const { given, left } = await letDeliveriesGo(state.plan, its);
  await effect(async () => {
    // One that ended mixed and left no mark in the lease: no resume may go on with it from here.
    const reason = `undone by run ${run}`;
    await addFact(
      undone,
      (now) => (isOver(now) ? undefined : { kind: 'abandoned', by: deps.by, reason, inFavourOf: run }),
      deps,
    );
    await addFact(
      undone,
      (now) => (now.undone?.byRun === run ? undefined : { kind: 'undone', byRun: run, by: deps.by }),
      deps,
    );
  });
  const said = [
    ...released.map((id) => `${shortId(id)} is held no more`),
    ...given.map((ref) => `${displayName(keyOf(ref))} syncs again`),
    ...left.map(({ ref, why }) => `${displayName(keyOf(ref))}: ${why}`),
  ];
  return {
    outcome: left.length === 0 ? 'done' : 'warned',
    message: [`run ${undone} is undone`, ...said].join('; '),
    result: { run: undone, released, given: given.map(keyOf) },
  };
};
