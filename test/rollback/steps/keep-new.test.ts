import { describe, expect, it } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import { digestOf, type Merged, type StepAction } from '../../../src/model/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { fakeServer } from '../fake-stores.ts';
import { perform } from '../step-support.ts';

const REPORT = digestOf('report');
const ACTION: StepAction = { kind: 'db-keep-new', store: 'main', report: REPORT };
const MERGED: Merged = {
  tables: [{ table: 'public.t', backup: 2, live: 3, same: 1, changed: 1, kept: 1, quarantined: 1, now: 3 }],
  quarantine: 'quarantine__bs_r1',
  message: '1 new rows kept, 1 set aside',
};

async function keep(over: Partial<DataStore>) {
  const { store } = fakeServer();
  return (await perform(ACTION, { deps: { dataStores: async () => [{ ...store, ...over }] } })).result;
}

describe('keeping new rows', () => {
  it('asks for those of the report and journals what became of every table', async () => {
    const asked: unknown[] = [];
    const result = await keep({
      stateOf: async () => 'before',
      keepNewRows: async (...call) => {
        asked.push(call.slice(0, 2));
        return MERGED;
      },
    });
    expect(asked).toEqual([['r1', REPORT]]);
    expect(result).toEqual({
      outcome: 'done',
      touched: false,
      message: MERGED.message,
      result: { quarantine: MERGED.quarantine, tables: MERGED.tables },
    });
  });

  it('does nothing after the exchange: what is live then is what was restored', async () => {
    const result = await keep({
      stateOf: async () => 'swapped',
      keepNewRows: async () => {
        throw new TypeError('not asked');
      },
    });
    expect(result).toMatchObject({ outcome: 'skipped', touched: false });
  });

  it.each<[string, Partial<DataStore>, string]>([
    [
      'rows that moved',
      {
        keepNewRows: async () => {
          throw new BackstayError('PLAN_STALE', 'live data moved');
        },
      },
      'PLAN_STALE',
    ],
    ['an engine that cannot', {}, 'STORE_UNSUPPORTED'],
  ])('fails with the live data untouched: %s', async (_what, over, code) => {
    expect(await keep({ stateOf: async () => 'before', ...over })).toMatchObject({
      outcome: 'failed',
      touched: false,
      code,
    });
  });
});
