import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type JsonObject, type KubeObject, type ManagedFieldsEntry, parseFieldPath } from '../../../src/model/index.ts';
import {
  contests,
  isTakenOver,
  ownersOf,
  split,
  takenOver,
  union,
} from '../../../src/provider/kubernetes/managed-fields.ts';

const keys = fc.constantFrom('f:spec', 'f:replicas', 'f:a', 'f:b', 'k:{"name":"x"}', 'k:{"name":"y"}', 'v:"z"', '.');
const tree = fc.letrec<{ tree: JsonObject }>((tie) => ({
  tree: fc.oneof({ maxDepth: 4 }, fc.constant({}), fc.dictionary(keys, tie('tree'), { maxKeys: 3 })),
})).tree;

const deployment = (spec: JsonObject, managedFields: readonly ManagedFieldsEntry[] = []): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'gateway', namespace: 'p', managedFields },
  spec,
});
const entry = (manager: string, fieldsV1: JsonObject, more: Partial<ManagedFieldsEntry> = {}): ManagedFieldsEntry => ({
  manager,
  operation: 'Update',
  apiVersion: 'apps/v1',
  fieldsType: 'FieldsV1',
  fieldsV1,
  ...more,
});
const containers = (...names: string[]): JsonObject => ({
  template: { spec: { containers: names.map((name) => ({ name, image: `${name}:1` })) } },
});
const owning = (...names: string[]): JsonObject => ({
  'f:spec': {
    'f:template': {
      'f:spec': {
        'f:containers': Object.fromEntries(
          names.map((name) => [`k:{"name":"${name}"}`, { '.': {}, 'f:name': {}, 'f:image': {} }]),
        ),
      },
    },
  },
});
const replicas: JsonObject = { 'f:spec': { 'f:replicas': {} } };

describe('who may be taken over from', () => {
  it.each([
    'kubectl',
    'kubectl-set',
    'kubectl-client-side-apply',
    'kubectl-edit',
    'helm',
    'Helm',
    'pulumi-kubernetes-1a2b3c4d',
    'backstay',
    'before-first-apply',
  ])('takes over from %s, which people drive', (manager) => expect(isTakenOver(manager, [])).toBe(true));
  it.each([
    'kube-controller-manager',
    'argocd-controller',
    'kustomize-controller',
    'vpa-recommender',
    'kubelet',
    'my-kubectl',
  ])('leaves %s alone unless it is named', (manager) => {
    expect(isTakenOver(manager, [])).toBe(false);
    expect(isTakenOver(manager, [manager])).toBe(true);
  });
});

describe('contested fields', () => {
  const live = deployment({ replicas: 3 }, [entry('keda', replicas)]);
  it('names owner and path of a field that would change under another controller', () => {
    expect(contests(live, live, deployment({ replicas: 2 }), 'backstay', [])).toEqual([
      { manager: 'keda', path: 'spec.replicas' },
    ]);
  });
  it('finds nothing when the owned field stays, the owner is named, or the owner is ourselves', () => {
    expect(contests(live, live, deployment({ replicas: 3, paused: true }), 'backstay', [])).toEqual([]);
    expect(contests(live, live, deployment({ replicas: 2 }), 'backstay', ['keda'])).toEqual([]);
    expect(contests(live, live, deployment({ replicas: 2 }), 'keda', [])).toEqual([]);
  });
  it('follows list items by their keys, and tells removed ones', () => {
    const injected = deployment(containers('a', 'proxy'), [entry('injector', owning('proxy'))]);
    expect(contests(injected, injected, deployment(containers('a')), 'backstay', [])).toEqual([
      { manager: 'injector', path: 'spec.template.spec.containers[name=proxy].name' },
      { manager: 'injector', path: 'spec.template.spec.containers[name=proxy].image' },
    ]);
    expect(ownersOf(injected, injected, deployment(containers('a')))).toEqual(['injector']);
  });
});

describe('taking over', () => {
  it('gives all of people’s entries to one Apply entry of ours and leaves the others', () => {
    const others = [entry('keda', replicas, { subresource: 'scale' }), entry('vpa', owning('v'))];
    const live = deployment({}, [
      entry('kubectl-set', owning('a')),
      entry('helm', owning('b'), { operation: 'Apply' }),
      ...others,
    ]);
    expect(takenOver(live, 'pulumi-kubernetes-12345678', [], [])).toEqual([
      ...others,
      {
        manager: 'pulumi-kubernetes-12345678',
        operation: 'Apply',
        apiVersion: 'apps/v1',
        fieldsType: 'FieldsV1',
        fieldsV1: owning('a', 'b'),
      },
    ]);
  });
  it('says so when there is nothing to do', () => {
    const live = deployment({}, [
      entry('backstay', owning('a'), { operation: 'Apply', time: '2026-01-01T00:00:00Z' }),
      entry('vpa', owning('v')),
    ]);
    expect(takenOver(live, 'backstay', [], [])).toBeUndefined();
    expect(takenOver(deployment({}), 'backstay', [], [])).toBeUndefined();
  });
  it('parks foreign fields that only we own, so that an apply without them keeps them', () => {
    const foreign = [{ kind: 'Deployment', path: 'spec.replicas' }];
    const live = deployment({}, [entry('backstay', union(replicas, owning('a')), { operation: 'Apply' })]);
    const once = takenOver(live, 'backstay', [], foreign) ?? [];
    expect(once.map(({ operation, fieldsV1 }) => [operation, fieldsV1])).toEqual([
      ['Update', replicas],
      ['Apply', owning('a')],
    ]);
    expect(takenOver(deployment({}, once), 'backstay', [], foreign)).toBeUndefined();
  });
  it('keeps an injected container with its owner by a path with a key', () => {
    const foreign = [{ kind: 'Deployment', path: 'spec.template.spec.containers[name=proxy]' }];
    const live = deployment({}, [entry('kubectl', owning('a', 'proxy'))]);
    expect(takenOver(live, 'backstay', [], foreign)?.map(({ manager, fieldsV1 }) => [manager, fieldsV1])).toEqual([
      ['kubectl', owning('proxy')],
      ['backstay', owning('a')],
    ]);
  });
});

describe('trees of fields', () => {
  it('a union has both and gains nothing by repetition', () => {
    fc.assert(
      fc.property(tree, tree, (a, b) => {
        const both = union(a, b);
        expect(union(both, a)).toEqual(both);
        expect(union(both, b)).toEqual(both);
      }),
    );
  });
  it('splitting loses nothing and invents nothing', () => {
    const paths = fc.constantFrom('spec', 'spec.replicas', 'a[name=x]', 'spec.a[*].b', 'spec["b"]');
    fc.assert(
      fc.property(tree, paths, (whole, path) => {
        const { matching = {}, rest = {} } = split(whole, [parseFieldPath(path)]);
        expect(union(matching, rest)).toEqual(whole);
      }),
    );
  });
});
