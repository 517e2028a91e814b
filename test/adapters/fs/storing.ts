import { expect } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import type { Sighting } from '../../../src/model/index.ts';
import { configMap, newSnapshot, secret, type TemporaryStore } from '../../support/snapshots.ts';

/** Stores the `i`th of a row of snapshots, each with a Secret of its own. */
export async function putIn(place: TemporaryStore, i: number, record = {}): Promise<Sighting> {
  const objects = [configMap('a', { i: String(i) }), secret('db', { password: `canary-${i}` })];
  return await place.store.put('demo', newSnapshot(place, objects, record));
}

/** Everything that a run reads of a snapshot. */
export async function readAll({ store }: TemporaryStore, target: string): Promise<true> {
  await store.secrets('demo', await store.resolve('demo', target));
  return true;
}

export async function errorOf(promise: Promise<unknown>): Promise<BackstayError> {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(BackstayError);
  return error as BackstayError;
}
