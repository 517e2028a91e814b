import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { capture, type CaptureDeps, type CaptureOptions, type CaptureResult } from '../../src/actions/capture.ts';
import { createHttpClient, createSystemClock } from '../../src/adapters/system/index.ts';
import { BackstayError } from '../../src/errors/index.ts';
import type { CheckSetting, Digest, KubeObject, Stack } from '../../src/model/index.ts';
import type { Cluster } from '../../src/ports/index.ts';
import { testCluster, testNamespace } from '../support/cluster.ts';
import { configMap, secret, type TemporaryStore, temporaryStore } from '../support/snapshots.ts';

/* Against a real API server, with real files and a real HTTP server to check. */

let cluster: Cluster;
let namespace: { readonly name: string; remove(): Promise<void> };
let place: TemporaryStore;
let stack: Stack;
let answers: Server;
let status = 200;
const http = createHttpClient();

beforeEach(async () => {
  ({ cluster } = await testCluster());
  namespace = await testNamespace('capture');
  status = 200;
  answers = createServer((_, response) => response.writeHead(status).end());
  await new Promise<void>((resolve) => answers.listen(0, '127.0.0.1', resolve));
  const check: CheckSetting = {
    name: 'health',
    kind: 'http',
    when: ['capture', 'after'],
    timeoutMs: 5_000,
    accept: [200],
    target: { url: `http://127.0.0.1:${(answers.address() as AddressInfo).port}/health` },
  };
  place = await temporaryStore('demo', { namespaces: [namespace.name], checks: [check] });
  stack = place.stack;
});
afterEach(async () => {
  await namespace.remove();
  await place.remove();
  await new Promise((resolve) => answers.close(resolve));
});

afterAll(() => http.close());

const run = (options: CaptureOptions = {}, deps: Partial<CaptureDeps> = {}): Promise<CaptureResult> =>
  capture(options, {
    stack,
    cluster,
    store: place.store,
    hasher: place.hasher,
    http,
    clock: createSystemClock(),
    ...deps,
  });

async function captured(options: CaptureOptions = {}): Promise<Extract<CaptureResult, { kind: 'captured' }>> {
  const result = await run(options);
  if (result.kind !== 'captured') throw new TypeError(`the capture was ${result.kind}`);
  return result;
}

const inNamespace = (object: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, namespace: namespace.name },
});
const create = (object: KubeObject): Promise<KubeObject> => cluster.create(inNamespace(object));

describe('a capture', () => {
  test('of an unchanged stack has the same id, and one of a changed Secret value another', async () => {
    await create(configMap('settings', { mode: 'a' }));
    await create(secret('db', { password: 'one' }));
    const first = await captured();
    expect(first.isNew).toBe(true);
    const again = await captured();
    expect(again).toMatchObject({ id: first.id, isNew: false });
    await cluster.apply(inNamespace(secret('db', { password: 'two' })), { force: true, fieldManager: 'someone' });
    const changed = await captured();
    expect(changed.isNew).toBe(true);
    expect(changed.id).not.toBe(first.id);
    await cluster.apply(inNamespace(secret('db', { password: 'one' })), { force: true, fieldManager: 'someone' });
    expect((await captured()).id).toBe(first.id);
  });

  test('holds what was applied and nothing that servers add, and records what the server is', async () => {
    await create(configMap('settings', { mode: 'a' }));
    const { content, sighting, left } = await captured({ labels: ['v1'], note: 'first' });
    expect(content.objects).toEqual([inNamespace(configMap('settings', { mode: 'a' }))]);
    expect(content.clusterUid).toBe((await cluster.identity()).uid);
    expect(sighting.record).toMatchObject({
      labels: ['v1'],
      note: 'first',
      serverVersion: expect.stringMatching(/^v1\./) as string,
    });
    expect(sighting.signature).toEqual({ state: 'trusted', key: 'tester' });
    // Nothing else is left in the namespace but what the server itself puts there.
    expect(left.every(({ key }) => /kube-root-ca\.crt|serviceaccount|ServiceAccount|Event/.test(key))).toBe(true);
    expect((await place.store.resolve('demo', 'v1')).content).toEqual(content);
  });

  test('keeps a Secret out of every file, also out of the annotation that kubectl keeps', async () => {
    const canary = 'canary-hunter2-capture';
    const object = secret('db', { password: canary });
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(object) };
    await create({ ...object, metadata: { ...object.metadata, annotations } });
    const { id } = await captured();
    const encoded = Buffer.from(canary).toString('base64');
    let files = 0;
    for (const entry of await readdir(place.root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      files++;
      const bytes = await readFile(join(entry.parentPath, entry.name), 'latin1');
      expect([bytes.includes(canary), bytes.includes(encoded)]).toEqual([false, false]);
    }
    expect(files).toBe(5);
    const values = await place.store.secrets('demo', await place.store.get('demo', id));
    expect([...values.values()]).toEqual([{ password: encoded }]);
  });

  test.each([
    ['passes is known good', 200, 'pass', true],
    ['fails is not', 503, 'fail', false],
  ] as const)('whose check %s', async (_, answered, verdict, knownGood) => {
    status = answered;
    await create(configMap('settings', {}));
    const seen: string[] = [];
    const result = await captured({ onCheck: ({ name }) => seen.push(name) });
    expect(result).toMatchObject({
      knownGood,
      sighting: { record: { verdict, checks: [{ name: 'health', verdict }] } },
    });
    expect(seen).toEqual(['health']);
    const target = place.store.resolve('demo', 'known-good');
    if (knownGood) expect((await target).id).toBe(result.id);
    else await expect(target).rejects.toMatchObject({ code: 'TARGET_UNKNOWN' });
  });

  test('without its checks is of unknown verdict, and with those of a run it has that run’s verdict', async () => {
    await create(configMap('settings', {}));
    expect((await captured({ checks: 'none' })).sighting.record).toMatchObject({ verdict: 'unknown', checks: [] });
    const measured = {
      name: 'x',
      kind: 'http',
      verdict: 'pass',
      reason: 'ok',
      at: '2026-01-01T00:00:00Z',
      durationMs: 1,
    } as const;
    const after = await captured({ checks: [measured], reason: 'after-run' });
    expect(after.sighting.record).toMatchObject({ verdict: 'pass', reason: 'after-run', checks: [measured] });
  });

  test('says from which snapshot a label was taken', async () => {
    await create(configMap('settings', { mode: 'a' }));
    const first: Digest = (await captured({ labels: ['stable'] })).id;
    expect((await captured({ labels: ['stable'] })).moved).toEqual([]);
    await create(configMap('more', {}));
    expect((await captured({ labels: ['stable'] })).moved).toEqual([{ label: 'stable', from: first }]);
  });

  test('of nothing stores nothing, unless a run asks for it', async () => {
    const result = await run();
    expect(result).toMatchObject({ kind: 'empty', namespaces: [namespace.name] });
    expect(await place.store.list('demo')).toEqual([]);
    expect((await captured({ reason: 'before-run', checks: 'none' })).content.objects).toEqual([]);
  });

  test('of another cluster than the stack names is refused, with both named', async () => {
    const error = await run({}, { stack: { ...stack, cluster: { ...stack.cluster, uid: 'elsewhere' } } }).catch(
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(BackstayError);
    expect(error).toMatchObject({
      code: 'CLUSTER_MISMATCH',
      details: { expected: 'elsewhere', found: (await cluster.identity()).uid },
    });
    expect(await place.store.list('demo')).toEqual([]);
  });
});
