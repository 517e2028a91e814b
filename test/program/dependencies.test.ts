import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type KubeObject, keyOf } from '../../src/model/index.ts';
import { dependenciesOf, inOrder } from '../../src/program/dependencies.ts';

const object = (
  apiVersion: string,
  kind: string,
  name: string,
  more: object = {},
  namespace: string | undefined = 'p',
): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  ...more,
});
const cluster = (apiVersion: string, kind: string, name: string, more: object = {}): KubeObject => {
  const { metadata: _, ...rest } = object(apiVersion, kind, name, more);
  return { ...rest, apiVersion, kind, metadata: { name } };
};
const dependencies = (of: KubeObject, ...others: KubeObject[]): readonly string[] =>
  dependenciesOf([of, ...others]).get(keyOf(of)) ?? [];

const namespace = cluster('v1', 'Namespace', 'p');
const config = object('v1', 'ConfigMap', 'config');
const secret = object('v1', 'Secret', 'secret');
const account = object('v1', 'ServiceAccount', 'runner');
const claim = object('v1', 'PersistentVolumeClaim', 'claim');
const service = object('v1', 'Service', 'web');
const deployment = object('apps/v1', 'Deployment', 'web', {
  spec: {
    template: {
      spec: {
        serviceAccountName: 'runner',
        imagePullSecrets: [{ name: 'secret' }],
        containers: [
          {
            name: 'a',
            envFrom: [{ configMapRef: { name: 'config' } }],
            env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'secret', key: 'k' } } }],
          },
        ],
        volumes: [
          { name: 'v', persistentVolumeClaim: { claimName: 'claim' } },
          { name: 'w', projected: { sources: [{ configMap: { name: 'absent' } }] } },
        ],
      },
    },
  },
});

describe('the order of registration', () => {
  it('has what others need first, by key within a kind’s rank', () => {
    const ingress = object('networking.k8s.io/v1', 'Ingress', 'web');
    const route = object('example.com/v1', 'Route', 'r');
    const definition = cluster('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'routes.example.com', {
      spec: { group: 'example.com', names: { kind: 'Route' } },
    });
    const shuffled = [ingress, deployment, secret, route, service, config, definition, account, namespace];
    expect(inOrder(shuffled).map(({ kind }) => kind)).toEqual([
      'Namespace',
      'CustomResourceDefinition',
      'ServiceAccount',
      'ConfigMap',
      'Secret',
      'Service',
      'Deployment',
      'Route',
      'Ingress',
    ]);
    expect(inOrder([...shuffled].reverse())).toEqual(inOrder(shuffled));
  });

  it('is that of the stack among the workloads that it names, and nothing comes before what it depends on', () => {
    const workloads = ['auth', 'chat', 'documents', 'search'].map((name) => object('apps/v1', 'Deployment', name));
    const settings = [namespace, config, object('networking.k8s.io/v1', 'Ingress', 'web')];
    const all = [...settings, ...workloads, object('v1', 'ReplicationController', 'old')];
    const keys = [...workloads.map(keyOf), keyOf(object('v1', 'ReplicationController', 'old')), keyOf(claim)];
    fc.assert(
      fc.property(fc.shuffledSubarray(keys), fc.shuffledSubarray(all, { minLength: all.length }), (order, objects) => {
        const registered = inOrder(objects, order).map(keyOf);
        const here = order.filter((key) => key !== keyOf(claim));
        expect(registered.filter((key) => order.includes(key))).toEqual(here);
        expect(registered.toSorted()).toEqual(all.map(keyOf).toSorted());
        const needed = dependenciesOf(objects, order);
        here.forEach((key, at) => expect(needed.get(key)?.at(-1)).toBe(at === 0 ? keyOf(namespace) : here[at - 1]));
        for (const [key, others] of needed)
          for (const other of others) expect(registered.indexOf(other)).toBeLessThan(registered.indexOf(key));
      }),
    );
  });
});

describe('dependencies', () => {
  it('of a workload are what its pods mount, read and run as, and nothing that is not registered', () => {
    expect([...dependencies(deployment, namespace, config, secret, account, claim, service)].sort()).toEqual(
      [namespace, config, secret, account, claim].map(keyOf).sort(),
    );
  });
  it('of a cron job are those of its pods', () => {
    const job = object('batch/v1', 'CronJob', 'c', {
      spec: {
        jobTemplate: {
          spec: { template: { spec: { containers: [{ name: 'a', envFrom: [{ secretRef: { name: 'secret' } }] }] } } },
        },
      },
    });
    expect(dependencies(job, config, secret)).toEqual([keyOf(secret)]);
  });
  it('of an Ingress are its Services', () => {
    const ingress = object('networking.k8s.io/v1', 'Ingress', 'web', {
      spec: { rules: [{ http: { paths: [{ backend: { service: { name: 'web', port: { number: 80 } } } }] } }] },
    });
    expect(dependencies(ingress, service)).toEqual([keyOf(service)]);
  });
  it('of a binding are its role and its subjects', () => {
    const role = object('rbac.authorization.k8s.io/v1', 'Role', 'r');
    const binding = object('rbac.authorization.k8s.io/v1', 'RoleBinding', 'b', {
      roleRef: { kind: 'Role', name: 'r' },
      subjects: [
        { kind: 'ServiceAccount', name: 'runner', namespace: 'p' },
        { kind: 'User', name: 'someone' },
      ],
    });
    expect(dependencies(binding, role, account)).toEqual([keyOf(role), keyOf(account)]);
  });
  it('of a custom resource are its definition', () => {
    const definition = cluster('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'routes.example.com', {
      spec: { group: 'example.com', names: { kind: 'Route' } },
    });
    expect(dependencies(object('example.com/v1beta1', 'Route', 'r'), definition)).toEqual([keyOf(definition)]);
  });
  it('of an autoscaler are what it scales', () => {
    const scaler = object('autoscaling/v2', 'HorizontalPodAutoscaler', 'h', {
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
    });
    expect(dependencies(scaler, deployment)).toEqual([keyOf(deployment)]);
  });
});
