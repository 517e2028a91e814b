import { BackstayError, isBackstayError } from '../../errors/index.ts';
import { type Backup, isProven, type StepAction } from '../../model/index.ts';
import type { DataStore } from '../../ports/index.ts';
import type { Executor, StepContext } from '../executor.ts';
import { backupOf } from './migrations.ts';
import { storeOf } from './stores.ts';

type InPlace = Extract<StepAction, { kind: 'db-restore-in-place' }>;

/**
 * Over the live data, in one transaction, when the backup of what is live now was proven. The server tells whether it was
 * committed, whatever the error says. Its reverse is `db-unswap`, which restores that backup the same way.
 */
export const dbRestoreInPlace: Executor<InPlace> = async (action, context) => {
  const { run, signal, effect } = context;
  const { store: name, backup: id } = action;
  const store = await storeOf(name, context);
  try {
    const [backup, wayBack] = [await store.find(id), await wayBackOf(action, store, context)];
    if (backup.manifest.file.digest !== action.digest)
      throw new BackstayError('BACKUP_DAMAGED', `backup ${id} is not the one that the plan was made for`);
    const { kept, unavailableMs } = await effect(async () => {
      if (store.restoreInPlace === undefined)
        throw new BackstayError('STORE_UNSUPPORTED', `${name}: no ${store.setting.kind} is restored in place`);
      return await store.restoreInPlace(backup, run, wayBack, signal);
    });
    return {
      outcome: 'done',
      message: `backup ${id} is live; not to be reached for ${unavailableMs} ms; the former data is ${kept}`,
      result: { kept, unavailableMs },
    };
  } catch (error) {
    if (isBackstayError(error, 'LEASE_LOST')) throw error;
    const now = await store.stateOf(run).catch(() => undefined);
    if (now === undefined) throw error;
    const message = error instanceof Error ? error.message : String(error);
    return {
      outcome: 'failed',
      // Committed, and not as it was backed up: that is to be taken back.
      ...(now === 'nothing' ? { touched: false } : {}),
      message,
      ...(isBackstayError(error) ? { code: error.code } : {}),
    };
  }
};

/** Rule 1: nothing destructive before the way back is proven. */
async function wayBackOf({ store: name, wayBack }: InPlace, store: DataStore, { state }: StepContext): Promise<Backup> {
  const id = backupOf(state, name);
  const found = id === undefined ? undefined : await store.find(id);
  if (found !== undefined && isProven(found, wayBack)) return found;
  const what = id === undefined ? 'was not taken' : `${id} was not ${wayBack}`;
  throw new BackstayError('BACKUP_UNPROVEN', `the backup of ${name} as it is now ${what}`);
}
