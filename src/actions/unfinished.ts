import { BackstayError } from '../errors/index.ts';
import type { Clock, JournalStore, Lock } from '../ports/index.ts';
import { type Abandon, isKnownToBeOver, refuseUnfinished } from '../rollback/index.ts';

interface UnfinishedDeps {
  readonly lock: Lock;
  readonly journal: JournalStore;
  readonly clock: Clock;
}

/**
 * Before anybody is shown a plan or asked for a yes: another run may have left the stack half way. One look at the lease, so
 * that a holder on another machine passes; the run itself asks again, with the lease in its hand.
 * @throws STACK_UNFINISHED; USAGE when there is no such run to abandon
 */
export async function requireFinished(
  request: { readonly stack: string; readonly abandon?: Abandon },
  deps: UnfinishedDeps,
): Promise<void> {
  const { stack, abandon } = request;
  const { unfinished, holder } = await deps.lock.look(stack);
  if (unfinished !== undefined) await refuseUnfinished(unfinished, request, deps);
  if (abandon === undefined || abandon.run === (unfinished ?? holder)?.run) return;
  // Given up by an attempt that got no further: the same command again is right.
  if (await isKnownToBeOver(abandon.run, deps.journal)) return;
  throw new BackstayError('USAGE', `No run ${abandon.run} was left unfinished on stack ${stack}.`, {
    next: 'Leave --abandon out; `backstay history` lists the runs.',
  });
}
