import type { RunState } from '../../journal/index.ts';
import type { Notice } from '../../model/index.ts';
import { bounded, type Effect, type Telling, type Values, valuesOfRun } from '../notify/telling.ts';

/**
 * What an observation is to people: each finding that something failed, and how it ended. The same state gives the same ids,
 * so that a service that goes on where another one died tells nothing twice. Pure.
 */
export function observationTellings(state: RunState): readonly Telling[] {
  const { observation } = state;
  if (observation === undefined) return [];
  const { subjects, ended } = observation;
  const failed = subjects.flatMap(({ name, findings }) =>
    findings
      .filter(({ verdict }) => verdict === 'fail')
      .map(({ at, reason }) =>
        telling(state, at, name, 'observation.disturbed', 'alarms', {
          because: `${name}: ${reason}`,
          next: `backstay doctor ${state.stack}`,
        }),
      ),
  );
  if (ended === undefined) return failed;
  const { outcome, reason: because, at } = ended;
  const effect = outcome === 'disturbed' ? 'acknowledges' : 'closes';
  return [...failed, telling(state, at, '', 'observation.ended', effect, { outcome, because })];
}

function telling(state: RunState, at: string, about: string, notice: Notice, effect: Effect, values: Values): Telling {
  const { run, stack } = state;
  return {
    id: `${run}:${at}${about === '' ? '' : `:${about.replaceAll(/[^\w.-]+/g, '-')}`}:${notice}`,
    subject: run,
    notice,
    stack,
    run,
    at,
    effect,
    values: bounded({ ...valuesOfRun(state, Date.parse(at)), ...values }),
  };
}
