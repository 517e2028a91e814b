import { describe, expect, it } from 'vitest';
import { createFence } from '../../../src/adapters/kubernetes/fence.ts';
import type { KubeObject, ObjectRef } from '../../../src/model/index.ts';
import type { Cluster } from '../../../src/ports/index.ts';
import { holderOf } from '../../contracts/lock.ts';
import { memoryLock } from '../../rollback/memory-lock.ts';

const object: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'n' } };
const ref: ObjectRef = { apiVersion: 'v1', kind: 'ConfigMap', name: 'a', namespace: 'n' };
const ask = { namespace: 'n', service: 's', port: 80, path: '/' };

/** Every way to write. */
const WRITES: Readonly<Record<string, (cluster: Cluster) => Promise<unknown>>> = {
  create: (cluster) => cluster.create(object),
  apply: (cluster) => cluster.apply(object),
  replace: (cluster) => cluster.replace(object),
  patch: (cluster) => cluster.patch(ref, { type: 'merge', body: {} }),
  delete: (cluster) => cluster.delete(ref),
  'proxy POST': (cluster) => cluster.proxy({ ...ask, method: 'POST' }),
  exec: (cluster) => cluster.exec({ namespace: 'n', pod: 'p', container: 'c', command: ['true'] }),
};
const HARMLESS: typeof WRITES = {
  get: (cluster) => cluster.get(ref),
  'dry create': (cluster) => cluster.create(object, { dryRun: true }),
  'dry apply': (cluster) => cluster.apply(object, { dryRun: true }),
  'dry replace': (cluster) => cluster.replace(object, { dryRun: true }),
  'dry patch': (cluster) => cluster.patch(ref, { type: 'merge', body: {} }, { dryRun: true }),
  'dry delete': (cluster) => cluster.delete(ref, { dryRun: true }),
  'proxy GET': (cluster) => cluster.proxy({ ...ask, method: 'GET' }),
};

function fenced() {
  const reached: string[] = [];
  const names = ['create', 'apply', 'replace', 'patch', 'delete', 'proxy', 'exec', 'get'] as const;
  const server = Object.fromEntries(names.map((name) => [name, async () => void reached.push(name)]));
  const [fence, memory] = [createFence(), memoryLock()];
  return { reached, memory, lock: fence.lock(memory), cluster: fence.cluster(server as unknown as Cluster) };
}

describe('the fence around a cluster', () => {
  it.each(Object.keys(WRITES))('lets %s pass without a lease, with one, and after it was given back', async (name) => {
    const { cluster, lock, reached } = fenced();
    await WRITES[name]?.(cluster);
    const held = await lock.acquire('s', holderOf('run-1'));
    await WRITES[name]?.(cluster);
    await held.release();
    await WRITES[name]?.(cluster);
    expect(reached).toHaveLength(3);
  });

  it.each(Object.keys(WRITES))('lets no %s through once the lease is lost, not even after a release', async (name) => {
    const { cluster, lock, memory, reached } = fenced();
    const held = await lock.acquire('s', holderOf('run-1'));
    memory.steal();
    await expect(WRITES[name]?.(cluster)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    await held.release();
    await expect(WRITES[name]?.(cluster)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(reached).toEqual([]);
  });

  it.each(Object.keys(HARMLESS))('does not mind %s', async (name) => {
    const { cluster, lock, memory, reached } = fenced();
    await lock.acquire('s', holderOf('run-1'));
    memory.steal();
    await HARMLESS[name]?.(cluster);
    expect(reached).toHaveLength(1);
  });

  it('hands on what the lock tells', async () => {
    const { lock, memory } = fenced();
    const held = await lock.acquire('s', holderOf('run-1'));
    expect(held.token).toBe(1);
    held.enter('applied');
    expect((await lock.look('s')).holder).toMatchObject({ run: 'run-1', phase: 'applied' });
    await held.release(true);
    expect(memory.unfinished()).toBe('run-1');
  });
});
