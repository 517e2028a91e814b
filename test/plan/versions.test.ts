import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/model/index.ts';
import { definedKinds, inServedVersion } from '../../src/plan/index.ts';
import { object } from './manifests.ts';

const only =
  (...versions: readonly string[]) =>
  (apiVersion: string): boolean =>
    versions.includes(apiVersion);
const budget = (selector: object): KubeObject =>
  object('PodDisruptionBudget', 'b', { spec: { selector } }, 'policy/v1beta1');

describe('an object of a version that is no longer served', () => {
  test('is left alone while its version is served', () => {
    const one = object('CronJob', 'c', {}, 'batch/v1beta1');
    expect(inServedVersion(one, only('batch/v1beta1', 'batch/v1'))).toEqual({ kind: 'served', object: one });
  });

  const rows: readonly (readonly [string, string, string])[] = [
    ['HorizontalPodAutoscaler', 'autoscaling/v2beta2', 'autoscaling/v2'],
    ['CronJob', 'batch/v1beta1', 'batch/v1'],
    ['RoleBinding', 'rbac.authorization.k8s.io/v1beta1', 'rbac.authorization.k8s.io/v1'],
  ];
  test.each(rows)('%s is written anew where only the name of the version changed', (kind, from, to) => {
    expect(inServedVersion(object(kind, 'x', {}, from), only(to))).toMatchObject({
      kind: 'converted',
      from,
      object: { apiVersion: to },
    });
  });

  const refused: readonly (readonly [string, KubeObject, string])[] = [
    [
      'has other fields in the new version',
      object('Ingress', 'i', {}, 'networking.k8s.io/v1beta1'),
      'networking.k8s.io/v1',
    ],
    ['was never heard of', object('Widget', 'w', {}, 'example.org/v1'), 'example.org/v2'],
    ['would choose all pods instead of none', budget({ matchLabels: {} }), 'policy/v1'],
    ['has no served version at all', object('CronJob', 'c', {}, 'batch/v1beta1'), 'batch/v2'],
  ];
  test.each(refused)('is refused where it %s', (_title, one, served) => {
    expect(inServedVersion(one, only(served))).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('is not served'),
    });
  });

  test('a budget that chooses its pods by a label means the same in the new version', () => {
    expect(inServedVersion(budget({ matchLabels: { app: 'x' } }), only('policy/v1')).kind).toBe('converted');
  });

  test('is not missed where the target brings its definition', () => {
    const definition = object(
      'CustomResourceDefinition',
      'widgets.example.org',
      { spec: { group: 'example.org', names: { kind: 'Widget' } } },
      'apiextensions.k8s.io/v1',
    );
    expect([...definedKinds([definition])]).toEqual(['Widget.example.org']);
  });
});
