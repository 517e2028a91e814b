/**
 * A process that carries a snapshot into the cluster by the engine alone, with nothing permitted to change, and prints
 * where its time went as JSON: what an `up` costs that has nothing to do.
 *
 *   node scripts/bench/engine-up.ts STACK LABEL
 */
import { compose } from '../../src/compose.ts';

const [stack = '', label = ''] = process.argv.slice(2);
const composition = await compose({ stack, env: process.env, cwd: process.cwd() });
try {
  const { store } = composition;
  const snapshot = await store.resolve(stack, label);
  const hasher = await composition.hasher();
  const objects = hasher.reveal(snapshot.content.objects, await store.secrets(stack, snapshot));
  const engine = await composition.engine();
  const none: ReadonlySet<never> = new Set();
  const result = await engine.up({
    objects,
    permit: { create: none, update: none, replace: none, delete: new Map(), observed: new Map(), takeFrom: [] },
    onProgress: () => undefined,
    readyTimeoutMs: composition.stack.readyTimeoutMs,
  });
  const touched = [...result.created, ...result.updated, ...result.deleted, ...result.failed];
  if (touched.length > 0) throw new TypeError(`an up with nothing to do touched ${touched.length} objects`);
  console.log(JSON.stringify({ objects: objects.length, timings: result.timings, calls: result.details['calls'] }));
} finally {
  await composition.close();
}
process.exit();
