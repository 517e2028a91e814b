import type { Probe } from '../pods/pod-types.ts';

export type ProbeResult = 'success' | 'failure';

/** What is known after some attempts: the last stable result, and how many attempts in a row said the same. */
export interface ProbeState {
  readonly result: ProbeResult | undefined;
  readonly last: ProbeResult | undefined;
  readonly inRow: number;
}

export const UNPROBED: ProbeState = { result: undefined, last: undefined, inRow: 0 };

/** Defaults of the API, for probes that reach the node without them. Seconds. */
export function probeTiming(
  probe: Probe,
): Required<
  Pick<Probe, 'initialDelaySeconds' | 'periodSeconds' | 'timeoutSeconds' | 'successThreshold' | 'failureThreshold'>
> {
  return {
    initialDelaySeconds: probe.initialDelaySeconds ?? 0,
    periodSeconds: probe.periodSeconds ?? 10,
    timeoutSeconds: probe.timeoutSeconds ?? 1,
    successThreshold: probe.successThreshold ?? 1,
    failureThreshold: probe.failureThreshold ?? 3,
  };
}

/** One more attempt: the result changes only when its threshold is reached. */
export function afterAttempt(state: ProbeState, attempt: ProbeResult, probe: Probe): ProbeState {
  const { successThreshold, failureThreshold } = probeTiming(probe);
  const inRow = state.last === attempt ? state.inRow + 1 : 1;
  const threshold = attempt === 'success' ? successThreshold : failureThreshold;
  return { result: inRow >= threshold ? attempt : state.result, last: attempt, inRow };
}
