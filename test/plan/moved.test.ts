import { describe, expect, test } from 'vitest';
import { digestOf, type KubeObject, type Plan } from '../../src/model/index.ts';
import { checkMoved, type MovedInput } from '../../src/plan/index.ts';
import { aPlan } from '../rollback/builders.ts';
import { asLive, comparing, keyed, roleIn, STACK, type World } from './live.ts';
import { configMap, deployment, envFrom, object } from './manifests.ts';

const world: World = {
  live: [
    deployment('gateway', { image: 'gateway:v2', ...envFrom('config') }),
    deployment('reader', envFrom('config')),
    configMap('config', { MODE: 'docling' }),
    configMap('extra', {}),
    configMap('same', { a: '1' }),
  ],
  target: [
    deployment('gateway', envFrom('config')),
    deployment('reader', envFrom('config')),
    configMap('config', { MODE: 'mineru' }),
    configMap('new', {}),
    configMap('same', { a: '1' }),
  ],
};

function planOf(from: World): Plan {
  const { changes, desired } = comparing(from);
  return aPlan({ scope: from.scope ?? { kind: 'full' }, changes, desired, live: digestOf('live') });
}

function moved(now: readonly KubeObject[], part: Partial<MovedInput> = {}): readonly string[] {
  const input = { plan: planOf(world), live: keyed(now.map(asLive)), role: roleIn(STACK), foreign: [], ...part };
  return checkMoved(input).map(({ key, what }) => `${key.split('/').at(-1)} ${what}`);
}

const without = (name: string): readonly KubeObject[] => world.live.filter(({ metadata }) => metadata.name !== name);

describe('what moved since a plan was made', () => {
  test('is nothing while the stack is as the plan saw it, whatever servers write beside', () => {
    const now = world.live.map((one) => ({
      ...one,
      status: { replicas: 9 },
      metadata: { ...one.metadata, resourceVersion: '99', annotations: { 'backstay.dev/paused-by': 'r' } },
    }));
    expect(moved(world.live)).toEqual([]);
    expect(moved(now)).toEqual([]);
  });

  const rows: readonly (readonly [string, readonly KubeObject[], readonly string[]])[] = [
    [
      'an object that changes',
      [...without('gateway'), deployment('gateway', { image: 'gateway:v3', ...envFrom('config') })],
      ['gateway spec.template.spec.containers[name=gateway].image changed'],
    ],
    [
      'an object that only restarts',
      [...without('reader'), deployment('reader', envFrom('config'), { replicas: 3 })],
      ['reader spec.replicas changed'],
    ],
    [
      'an object that is equal to the target',
      [...without('same'), configMap('same', { a: '2' })],
      ['same data.a changed'],
    ],
    ['an object that is deleted', [...without('extra'), configMap('extra', { a: '1' })], ['extra data.a added']],
    ['one that went', without('config'), ['config is gone']],
    [
      'one that the plan creates and somebody made',
      [...world.live, configMap('new', { a: '1' })],
      ['new was made since'],
    ],
    ['one that nobody knew', [...world.live, configMap('stranger', {})], ['stranger was made since']],
  ];
  test.each(rows)('is named: %s', (_title, now, expected) => {
    expect(moved(now)).toEqual(expected);
  });

  test('leaves out what the run changed itself', () => {
    const paused = [
      ...without('gateway'),
      deployment('gateway', { image: 'gateway:v2', ...envFrom('config') }, { paused: true, replicas: 0 }),
    ];
    expect(moved(paused)).toEqual(['gateway spec.paused added, spec.replicas changed']);
    expect(moved(paused, { ours: (_key, path) => path === 'spec.paused' || path === 'spec.replicas' })).toEqual([]);
    expect(moved(paused, { ours: (_key, path) => path === 'spec.paused' })).toEqual(['gateway spec.replicas changed']);
  });

  test('is not what another scope is about, nor what the plan keeps by protection', () => {
    const plan = planOf({ ...world, scope: { kind: 'config' } });
    const now = [...without('gateway'), deployment('stranger'), object('PersistentVolumeClaim', 'data')];
    expect(moved(now, { plan })).toEqual(['gateway is gone']);
    const kept: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'production' } };
    expect(moved([...world.live, kept])).toEqual([]);
    expect(moved([...world.live, object('ServiceAccount', 'new')])).toEqual(['new was made since']);
  });

  test('tells the first fields and counts the others', () => {
    const now = [...without('same'), configMap('same', { a: '2', b: '1', c: '1', d: '1', e: '1' })];
    expect(moved(now)).toEqual(['same data.a changed, data.b added, data.c added and 2 more']);
  });
});
