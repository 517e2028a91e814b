import { stateOfRun } from '../rollback/index.ts';
import type { ServiceDeps } from './deps.ts';
import { cancelIn, claimIn } from './dispatch/claim.ts';
import { type RunView, runView } from './run-view.ts';

/** A run as it is now. @throws RUN_UNKNOWN, JOURNAL_BROKEN */
export async function seeRun(
  run: string,
  service: Pick<ServiceDeps, 'journal' | 'records' | 'clock'>,
): Promise<RunView> {
  const [state, claim, cancel] = await Promise.all([
    stateOfRun(run, service),
    service.records.get('claim', run),
    service.records.get('cancel', run),
  ]);
  return runView(state, {
    now: service.clock.now(),
    ...(claim === undefined ? {} : { claim: claimIn(claim) }),
    ...(cancel === undefined ? {} : { cancel: cancelIn(cancel) }),
  });
}
