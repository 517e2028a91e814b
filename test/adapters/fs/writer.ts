/** A process that stores snapshots, for the tests that need several of them: ROOT KEYS STACK-JSON FROM COUNT. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createFsSnapshotStore, createKeyReader, createSecretHasher } from '../../../src/adapters/fs/index.ts';
import type { Stack } from '../../../src/model/index.ts';
import { configMap, newSnapshot, secret } from '../../support/snapshots.ts';

const [root = '', keyFolder = '', stackJson = '{}', from = '0', count = '1'] = process.argv.slice(2);
const stack = JSON.parse(stackJson) as Stack;
const hasher = createSecretHasher((await readFile(join(keyFolder, 'comparison.key'), 'utf8')).trim());
const by = { user: 'writer', host: 'here', version: '0' };
const store = createFsSnapshotStore({ root, stack, keys: createKeyReader({}), clock: { now: Date.now }, by });
for (let i = Number(from); i < Number(from) + Number(count); i++) {
  const objects = [configMap('a', { i: String(i) }), secret('db', { password: `canary-${i}` })];
  await store.put(stack.name, newSnapshot({ hasher, stack, now: () => new Date().toISOString() }, objects));
  process.stdout.write(`${i}\n`);
}
