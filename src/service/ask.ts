import { newRunId } from '../actions/rollback.ts';
import { requestRun, type RequestOptions, type RequestResult } from '../actions/request.ts';
import { BackstayError } from '../errors/index.ts';
import type { RunState } from '../journal/index.ts';
import { endUnbegun, hasBegun, stateOfRun } from '../rollback/index.ts';
import type { ServiceDeps } from './deps.ts';
import { type Claim, claimIn, stored } from './dispatch/claim.ts';

export interface AskOptions extends RequestOptions {
  /** The principal's id. */
  readonly by: string;
  /** Whose it is. */
  readonly person?: string;
}

type Deps = Pick<ServiceDeps, 'records' | 'journal' | 'clock' | 'by' | 'withStack'>;

/**
 * A new run, to be carried by whichever service is first. Claimed before it is journaled: killed in between, there is a claim
 * without a run, which is dropped, and never a run that nobody begins. @throws as `requestRun`
 */
export async function askForRun({ by, person, ...options }: AskOptions, deps: Deps): Promise<RequestResult> {
  const { records, clock, withStack } = deps;
  const { stack } = options.plan;
  const run = options.run ?? newRunId(clock.now());
  const claimed = await records.put('claim', run, 0, stored(newClaim(stack, by, clock.now())));
  const drop = async (): Promise<void> => {
    if (claimed !== undefined) await records.remove('claim', run, claimed.version);
  };
  try {
    const result = await withStack(
      stack,
      { user: by, host: deps.by.host, ...(person === undefined ? {} : { person }) },
      async (reached) => await requestRun({ ...options, run }, await reached.requestDeps()),
    );
    if (result.kind === 'nothing-to-do') await drop();
    return result;
  } catch (error) {
    // Its first entry may be stored though its answer was lost: then it is carried.
    if ((await deps.journal.read(run)).length === 0) await drop();
    throw error;
  }
}

/**
 * Has a run gone on with: one that halted, was cut off, was approved at another place, or is stuck. Undefined: a service carries
 * it already. @throws RUN_UNKNOWN, RUN_OVER
 */
export async function askToResume(
  { run, by }: { readonly run: string; readonly by: string },
  deps: Deps,
): Promise<RunState> {
  const state = await stateOfRun(run, deps);
  requireOpen(state);
  const { records, clock } = deps;
  const endedAt = state.ended === undefined ? {} : { endedAt: state.ended.at };
  for (;;) {
    const there = await records.get('claim', run);
    if (there !== undefined && claimIn(there).stuck !== true) return state;
    const claim: Claim = { ...newClaim(state.stack, by, clock.now()), ...endedAt };
    if ((await records.put('claim', run, there?.version ?? 0, stored(claim))) === undefined) continue;
    // What was asked of the run before is over and done with.
    await records.remove('cancel', run, 0);
    return state;
  }
}

/**
 * Has a run stopped: at once where nothing of it was begun, else between two steps, by the service that carries it.
 * @throws RUN_UNKNOWN, RUN_OVER, RUN_ELSEWHERE
 */
export async function askToCancel(
  { run, by, reason }: { readonly run: string; readonly by: string; readonly reason: string },
  deps: Deps & Pick<ServiceDeps, 'journalName'>,
): Promise<RunState> {
  const state = await stateOfRun(run, deps);
  requireOpen(state);
  const { records, clock } = deps;
  if ((await records.get('claim', run)) !== undefined) {
    const at = new Date(clock.now()).toISOString();
    // Whoever was first is the one who stopped it.
    const asked = await records.put('cancel', run, 0, stored({ by, reason, at }));
    if ((await records.get('claim', run)) !== undefined) return state;
    // It came to its end in this very moment: nobody reads that any more.
    if (asked !== undefined) await records.remove('cancel', run, asked.version);
    requireOpen(await stateOfRun(run, deps));
    return state;
  }
  if (state.ended !== undefined) throw over(state);
  if (!hasBegun(state) && state.leases.length === 0)
    return await endUnbegun(run, { outcome: 'cancelled', reason: `cancelled by ${by}: ${reason}` }, deps);
  const last = state.resumed.at(-1)?.by ?? state.by;
  throw new BackstayError('RUN_ELSEWHERE', `Run ${run} was started by a command of ${last.user} on ${last.host}.`, {
    details: { run, ...last },
  });
}

function requireOpen(state: RunState): void {
  if (state.ended !== undefined && state.ended.outcome !== 'mixed') throw over(state);
}

function over({ run, ended }: RunState): BackstayError {
  return new BackstayError('RUN_OVER', `Run ${run} is over (${ended?.outcome ?? 'ended'}).`, { details: { run } });
}

function newClaim(stack: string, by: string, now: number): Claim {
  return { stack, by, askedAt: new Date(now).toISOString(), failures: 0 };
}
