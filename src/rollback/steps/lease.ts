import type { Executor } from '../executor.ts';
import { staleResult } from './moved.ts';

/** Takes the stack for this run, then refuses if live moved since the plan was made. */
export const lease: Executor = async (_action, { run, state, deps }) => {
  const held = await deps.lock.acquire(state.stack, { run, journal: deps.journalName, ...deps.by });
  // Nothing of the cluster was looked at for such a plan, and nothing of it can be now.
  const isAsked = state.plan.options.databaseLease === undefined;
  const { moved } = isAsked ? await deps.observe(state.plan) : { moved: [] };
  if (moved.length > 0) return staleResult(state.stack, moved);
  return {
    outcome: 'done',
    touched: false,
    message: `lease taken, token ${held.token}`,
    result: { token: held.token },
  };
};
