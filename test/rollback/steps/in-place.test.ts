import { describe, expect, it } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import { type Backup, digestOf, type StepAction } from '../../../src/model/index.ts';
import type { DataStore, SwapState } from '../../../src/ports/index.ts';
import { aStep } from '../builders.ts';
import { fakeServer } from '../fake-stores.ts';
import { perform } from '../step-support.ts';

/** As a run does it: the backup to go to was there, and the one of now was taken before. */
async function restore(
  over: Partial<DataStore>,
  { wayBack = 'read', digest }: { readonly wayBack?: 'read' | 'restored'; readonly digest?: string } = {},
) {
  const { store } = fakeServer();
  const target = await store.backup();
  const taken = await store.prove(await store.backup(), 'read');
  const action: StepAction = {
    kind: 'db-restore-in-place',
    store: 'main',
    backup: target.manifest.id,
    digest: digestOf(digest ?? target.manifest.id),
    wayBack,
  };
  const step = aStep('db-backup:main', 'quiesced', { action: { kind: 'db-backup', store: 'main', prove: 'read' } });
  const beforeSteps = [{ step, result: { backup: taken.manifest.id } }];
  const dataStores = async (): Promise<readonly DataStore[]> => [{ ...store, ...over }];
  const { result } = await perform(action, { deps: { dataStores }, beforeSteps });
  return { result, target, taken };
}

const kept = { kept: 'backup b', unavailableMs: 3 };

describe('a restore in place as a step', () => {
  it('goes to the backup of the plan, with that of this run as its way back', async () => {
    const asked: (readonly [Backup, string, Backup])[] = [];
    const { result, target, taken } = await restore({
      restoreInPlace: async (backup, run, wayBack) => {
        asked.push([backup, run, wayBack]);
        return kept;
      },
    });
    expect(asked.map(([one, run, other]) => [one.manifest.id, run, other.manifest.id])).toEqual([
      [target.manifest.id, 'r1', taken.manifest.id],
    ]);
    expect(result).toMatchObject({ outcome: 'done', result: kept });
  });

  const refusing = async (): Promise<never> => {
    throw new BackstayError('STORE_FAILED', 'no lock');
  };

  it.each<[string, Partial<DataStore>, Parameters<typeof restore>[1], string]>([
    ['an engine that cannot', {}, {}, 'STORE_UNSUPPORTED'],
    ['a server that does not', { restoreInPlace: refusing }, {}, 'STORE_FAILED'],
    [
      'a way back that was proven less than planned',
      { restoreInPlace: async () => kept },
      { wayBack: 'restored' },
      'BACKUP_UNPROVEN',
    ],
    ['a backup that is another one', { restoreInPlace: async () => kept }, { digest: 'other' }, 'BACKUP_DAMAGED'],
  ])('fails with live data untouched: %s', async (_what, over, how, code) => {
    expect((await restore(over, how)).result).toMatchObject({ outcome: 'failed', touched: false, code });
  });

  it.each<[string, SwapState, object]>([
    ['was committed: it is to be taken back', 'swapped', { outcome: 'failed', code: 'STORE_FAILED' }],
    ['was not', 'nothing', { outcome: 'failed', code: 'STORE_FAILED', touched: false }],
  ])('asks the server, not the error, whether it %s', async (_what, state, expected) => {
    const { result } = await restore({ restoreInPlace: refusing, stateOf: async () => state });
    expect(result).toMatchObject(expected);
    expect('touched' in result).toBe('touched' in expected);
  });

  it('leaves it open where nobody can tell', async () => {
    const stateOf = async (): Promise<never> => {
      throw new BackstayError('STORE_UNREACHABLE', 'away');
    };
    await expect(restore({ restoreInPlace: refusing, stateOf })).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});
