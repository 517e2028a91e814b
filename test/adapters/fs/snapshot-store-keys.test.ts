import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFsSnapshotStore, createKeyReader, initKeys } from '../../../src/adapters/fs/index.ts';
import { configMap, newSnapshot, type TemporaryStore, temporaryStore } from '../../support/snapshots.ts';
import { errorOf, putIn } from './storing.ts';

let place: TemporaryStore;
beforeEach(async () => {
  place = await temporaryStore();
});
afterEach(() => place.remove());

describe('missing keys', () => {
  const withKeys = (
    change: (stack: TemporaryStore['stack']) => TemporaryStore['stack'],
    env: Record<string, string> = {},
  ): TemporaryStore['store'] =>
    createFsSnapshotStore({
      root: place.root,
      stack: change(place.stack),
      keys: createKeyReader(env),
      clock: { now: Date.now },
      by: { user: 'u', host: 'h', version: 'v' },
    });

  test('a missing signing key stops a capture before anything is written', async () => {
    const store = withKeys((stack) => ({ ...stack, signing: { ...stack.signing, key: { env: 'NO_SUCH_KEY' } } }));
    const error = await errorOf(store.put('demo', newSnapshot(place, [configMap('a', {})])));
    expect(error.code).toBe('KEY_MISSING');
    expect(error.message).toContain('NO_SUCH_KEY');
    await expect(readdir(place.root)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('each key that is not at hand is found by the proof, before a run needs it', async () => {
    const file = { file: join(place.root, 'gone') };
    const changes: ((stack: TemporaryStore['stack']) => TemporaryStore['stack'])[] = [
      (stack) => ({ ...stack, signing: { ...stack.signing, key: file } }),
      (stack) => ({ ...stack, signing: { ...stack.signing, trusted: [] } }),
      (stack) => ({ ...stack, secrets: { ...stack.secrets, comparisonKey: file } }),
      (stack) => ({ ...stack, secrets: { ...stack.secrets, identity: file } }),
      (stack) => ({ ...stack, secrets: { ...stack.secrets, recipients: [] } }),
      (stack) => ({ ...stack, secrets: { ...stack.secrets, comparisonKey: { env: 'SHORT' } } }),
    ];
    for (const change of changes) {
      expect((await errorOf(withKeys(change, { SHORT: 'AAAA' }).proveKeys('demo'))).code).toBe('KEY_MISSING');
    }
  });

  test('an identity that is none of the recipients cannot read secrets, and the recipients are named', async () => {
    const { record } = await putIn(place, 1);
    await initKeys('demo', join(place.root, 'other'), 'other');
    const store = withKeys((stack) => ({
      ...stack,
      secrets: { ...stack.secrets, identity: { file: join(place.root, 'other/identity.txt') } },
    }));
    const snapshot = await store.get('demo', record.id);
    const error = await errorOf(store.secrets('demo', snapshot));
    expect(error.code).toBe('SECRETS_UNREADABLE');
    expect(error.message).toContain(place.stack.secrets.recipients[0]);
    expect((await errorOf(store.proveKeys('demo'))).code).toBe('SECRETS_UNREADABLE');
  });

  test('the content can be read and compared without any key at all', async () => {
    const { record } = await putIn(place, 1);
    const store = withKeys((stack) => ({
      ...stack,
      secrets: { ...stack.secrets, identity: { env: 'NONE' }, comparisonKey: { env: 'NONE' } },
      signing: { ...stack.signing, key: { env: 'NONE' } },
    }));
    expect((await store.get('demo', record.id)).content.objects).toHaveLength(2);
  });

  test('a key file that others may read is refused with the command that closes it', async () => {
    const path = join(place.keyFolder, 'signing.jwk');
    await chmod(path, 0o644);
    const error = await errorOf(putIn(place, 1));
    expect(error.code).toBe('KEY_EXPOSED');
    expect(error.next).toContain(`chmod 600 ${path}`);
    await chmod(path, 0o640);
    await putIn(place, 1);
  });
});
