import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { Digest, Merged, StepAction } from '../../model/index.ts';
import type { DataStore } from '../../ports/index.ts';
import type { Executor } from '../executor.ts';
import { storeOf } from './stores.ts';

type KeepNew = Extract<StepAction, { kind: 'db-keep-new' }>;

/**
 * Takes new rows over into what this run restored beside: all that the plan told of, or none. The live data is only read. An
 * attempt that was cut off has done nothing, or is found to have done it.
 */
export const dbKeepNew: Executor<KeepNew> = async ({ store: name, report }, context) => {
  const { run, signal, effect } = context;
  const store = await storeOf(name, context);
  try {
    if ((await store.stateOf(run)) === 'swapped')
      return { outcome: 'skipped', touched: false, message: 'exchanged by an earlier attempt, with what was kept' };
    const { tables, quarantine, message } = await effect(async () => await keep(store, run, report, signal));
    return {
      outcome: 'done',
      touched: false,
      message,
      result: { quarantine, tables: tables.map((one) => ({ ...one })) },
    };
  } catch (error) {
    if (isBackstayError(error, 'LEASE_LOST')) throw error;
    const message = error instanceof Error ? error.message : String(error);
    return { outcome: 'failed', touched: false, message, ...(isBackstayError(error) ? { code: error.code } : {}) };
  }
};

async function keep(store: DataStore, run: string, report: Digest, signal: AbortSignal): Promise<Merged> {
  const { name, kind } = store.setting;
  if (store.keepNewRows === undefined)
    throw new BackstayError('STORE_UNSUPPORTED', `${name}: rows of kind ${kind} cannot be kept`);
  return await store.keepNewRows(run, report, signal);
}
