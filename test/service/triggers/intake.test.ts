import { describe, expect, test } from 'vitest';
import type { Stack } from '../../../src/model/index.ts';
import { policies } from '../../../src/service/triggers/intake.ts';
import { stackOf } from '../../support/stack.ts';
import { POLICY } from './alerts.ts';

/** Stack files that change, and how often each was read. */
function files(stacks: Record<string, Partial<Stack> | Error>) {
  let now = 0;
  let reads = 0;
  return {
    reads: () => reads,
    pass: (ms: number) => void (now += ms),
    known: policies({
      clock: { now: () => now, monotonic: () => now, delay: async () => {} },
      stackNames: async () => await Promise.resolve(Object.keys(stacks)),
      stack: async (name) => {
        reads += 1;
        const change = stacks[name];
        if (change instanceof Error) throw change;
        return await Promise.resolve(stackOf(name, change));
      },
    }),
  };
}

const settled = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

describe('the policies by which alerts are taken', () => {
  test('are read once for a storm, and what cannot be read has none', async () => {
    const { known, reads } = files({ shop: { triggers: POLICY }, broken: new TypeError('no YAML') });
    const all = await Promise.all(Array.from({ length: 100 }, async () => await known()));
    expect(reads()).toBe(2);
    expect([...(all[99] ?? [])]).toEqual([
      ['shop', POLICY],
      ['broken', undefined],
    ]);
  });

  test('are read again beside the answers, and are soon as the files say', async () => {
    const stacks: Record<string, Partial<Stack>> = { shop: {} };
    const { known, reads, pass } = files(stacks);
    await known();
    stacks['shop'] = { triggers: POLICY };
    pass(1_001);
    expect((await known()).get('shop')).toBeUndefined();
    await settled();
    expect((await known()).get('shop')).toEqual(POLICY);
    expect(reads()).toBe(2);
  });

  test('are waited for when they are too old to be believed', async () => {
    const stacks: Record<string, Partial<Stack>> = { shop: {} };
    const { known, pass } = files(stacks);
    await known();
    stacks['shop'] = { triggers: POLICY };
    pass(30_001);
    expect((await known()).get('shop')).toEqual(POLICY);
  });
});
