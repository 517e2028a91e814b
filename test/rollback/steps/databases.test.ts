import { describe, expect, it } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import type { DataStore, SwapState } from '../../../src/ports/index.ts';
import { fakeServer } from '../fake-stores.ts';
import { perform } from '../step-support.ts';

const kept = { kept: 'main__r1_prev', unavailableMs: 3 };

/** A store that an attempt finds in the first of these states, and every later look in the second. */
function standing(first: SwapState, then: SwapState, over: Partial<DataStore>): Partial<DataStore> {
  let looks = 0;
  return { stateOf: async () => ((looks += 1) === 1 ? first : then), sessions: async () => [], ...over };
}

const step = async (kind: 'db-swap' | 'db-unswap', over: Partial<DataStore>) => {
  const { store } = fakeServer();
  const dataStores = async (): Promise<readonly DataStore[]> => [{ ...store, ...over }];
  return (await perform({ kind, store: 'main' }, { deps: { dataStores } })).result;
};
const refuses = (code: 'STORE_FAILED' | 'LEASE_LOST' | 'STORE_UNREACHABLE') => async (): Promise<never> => {
  throw new BackstayError(code, 'no');
};

describe('an exchange as a step', () => {
  it('tells what is kept, and for how long nobody reached it', async () => {
    const result = await step('db-swap', standing('before', 'swapped', { swap: async () => kept }));
    expect(result).toMatchObject({ outcome: 'done', result: kept });
  });

  it('asks a store for what it exchanged earlier: the server that was stopped for it may still be down', async () => {
    const acts: string[] = [];
    const swap = async (run: string) => {
      acts.push(run);
      return kept;
    };
    const result = await step('db-swap', standing('swapped', 'swapped', { swap }));
    expect(result).toEqual({ outcome: 'done', message: 'exchanged by an earlier attempt' });
    expect(acts).toEqual(['r1']);
  });

  it.each<[string, SwapState, DataStore['sessions'], object]>([
    ['was done, and only its answer lost', 'swapped', async () => [], { outcome: 'done' }],
    [
      'was done, and nobody serves it: it is to be taken back',
      'swapped',
      refuses('STORE_UNREACHABLE'),
      { outcome: 'failed', touched: true, code: 'STORE_FAILED' },
    ],
    ['was not done', 'before', async () => [], { outcome: 'failed', touched: false, code: 'STORE_FAILED' }],
  ])('asks the server, not the error, whether it %s', async (_what, then, sessions, expected) => {
    const swap = refuses('STORE_FAILED');
    expect(await step('db-swap', standing('before', then, { swap, sessions }))).toMatchObject(expected);
  });

  it('says nothing of a store when the stack is no longer ours', async () => {
    const swap = refuses('LEASE_LOST');
    await expect(step('db-swap', standing('before', 'swapped', { swap }))).rejects.toMatchObject({
      code: 'LEASE_LOST',
    });
  });

  it('leaves it open where nobody can tell', async () => {
    const over = standing('before', 'swapped', { swap: refuses('STORE_FAILED') });
    let looks = 0;
    const stateOf = async (): Promise<SwapState> => ((looks += 1) === 1 ? 'before' : refuses('STORE_UNREACHABLE')());
    await expect(step('db-swap', { ...over, stateOf })).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});

describe('an exchange that is taken back as a step', () => {
  it.each<[SwapState, number, object]>([
    ['swapped', 1, { outcome: 'done', result: kept }],
    ['undone', 1, { outcome: 'done', message: 'taken back by an earlier attempt' }],
    ['before', 0, { outcome: 'skipped', touched: false }],
    ['nothing', 0, { outcome: 'skipped', touched: false }],
  ])('of a store that stands at %s asks the store %d times', async (state, times, expected) => {
    let asked = 0;
    const undoSwap = async () => {
      asked += 1;
      return kept;
    };
    expect(await step('db-unswap', standing(state, 'undone', { undoSwap }))).toMatchObject(expected);
    expect(asked).toBe(times);
  });
});
