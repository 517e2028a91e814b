import type { DataStore, Integrity } from '../ports/index.ts';

export interface CheckedStore {
  readonly name: string;
  readonly kind: string;
  /** Absent when it could not be asked at all; `failure` says why. */
  readonly integrity?: Integrity;
  readonly failure?: string;
}

/** Whether the live data of each store fits together. One that cannot be asked is told as such, and never fits. */
export async function checkStores(stores: readonly DataStore[]): Promise<readonly CheckedStore[]> {
  return await Promise.all(
    stores.map(async (store) => {
      const { name, kind } = store.setting;
      try {
        return { name, kind, integrity: await store.integrity() };
      } catch (error) {
        return { name, kind, failure: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
}
