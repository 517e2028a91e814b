import { describe, expect, test } from 'vitest';
import {
  afterAttempt,
  type ProbeResult,
  probeTiming,
  UNPROBED,
} from '../../../../src/sandbox/node/probes/probe-state.ts';
import type { Probe } from '../../../../src/sandbox/node/pods/pod-types.ts';

const run = (probe: Probe, attempts: string): (ProbeResult | undefined)[] => {
  let state = UNPROBED;
  return attempts.split('').map((attempt) => {
    state = afterAttempt(state, attempt === '+' ? 'success' : 'failure', probe);
    return state.result;
  });
};

describe('the result of a probe', () => {
  test.each<[string, Probe, string, string]>([
    ['one success is enough by default', {}, '+', '+'],
    ['three failures are needed by default', {}, '---', '??-'],
    ['a success between failures starts the count again', {}, '--+--', '??+++'],
    ['a success threshold of two needs two in a row', { successThreshold: 2 }, '+-++', '???+'],
    ['a failure threshold of one is met at once', { failureThreshold: 1 }, '+-+', '+-+'],
    ['it stays failed until a success', { failureThreshold: 2 }, '----+', '?---+'],
  ])('%s', (_title, probe, attempts, results) => {
    const symbols = run(probe, attempts).map((result) =>
      result === undefined ? '?' : result === 'success' ? '+' : '-',
    );
    expect(symbols.join('')).toBe(results);
  });

  test('has the defaults of the API', () => {
    expect(probeTiming({})).toEqual({
      initialDelaySeconds: 0,
      periodSeconds: 10,
      timeoutSeconds: 1,
      successThreshold: 1,
      failureThreshold: 3,
    });
  });
});
