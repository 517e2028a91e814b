import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/model/index.ts';
import { imageStates, judgeImages, newImages } from '../../src/plan/index.ts';
import { comparing } from './live.ts';
import { configMap, deployment, envFrom } from './manifests.ts';

const node = (...names: readonly string[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1' },
  status: { images: [{ names }] },
});
const pod = (image: string, status: Readonly<Record<string, unknown>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p1', namespace: 'production' },
  spec: { containers: [{ name: 'c', image }] },
  status: { containerStatuses: [{ name: 'c', image: 'as the node says', ...status }] },
});
const failing = (image: string): KubeObject =>
  pod(image, { imageID: '', state: { waiting: { reason: 'ImagePullBackOff', message: 'not found' } } });
const running = (image: string): KubeObject => pod(image, { imageID: 'sha256:1', state: { running: {} } });
const stateOf = (image: string, nodes: readonly KubeObject[], pods: readonly KubeObject[]): string | undefined =>
  imageStates([image], nodes, pods).get(image)?.state;

describe('an image', () => {
  const rows: readonly (readonly [string, string, readonly KubeObject[], readonly KubeObject[], string])[] = [
    ['on a node', 'app:v1', [node('docker.io/library/app:v1')], [], 'present'],
    ['on a node under the short name', 'docker.io/org/app', [node('org/app:latest')], [], 'present'],
    ['on a node by digest', 'reg.io/app@sha256:1', [node('reg.io/app@sha256:1')], [], 'present'],
    ['run by a pod', 'app:v1', [], [running('app:v1')], 'present'],
    ['that a pod cannot pull', 'app:v1', [], [failing('app:v1')], 'unpullable'],
    ['that a pod cannot pull though an old node has it', 'app:v1', [node('app:v1')], [failing('app:v1')], 'unpullable'],
    ['of another tag than the one that cannot be pulled', 'app:v1', [], [failing('app:v2')], 'unknown'],
    ['of a registry with a port', 'localhost:5000/app:v1', [node('localhost:5000/app:v1')], [], 'present'],
    [
      'that a pod waits for while it is being made',
      'app:v1',
      [],
      [pod('app:v1', { imageID: '', state: { waiting: { reason: 'ContainerCreating' } } })],
      'unknown',
    ],
  ];
  test.each(rows)('%s', (_title, image, nodes, pods, state) => {
    expect(stateOf(image, nodes, pods)).toBe(state);
  });

  test('that cannot be pulled refuses the plan; so does one of which nothing is known, unless it was allowed', () => {
    const images = new Map([
      ['bad:v1', ['deployment/a']],
      ['new:v1', ['deployment/b']],
      ['good:v1', ['deployment/c']],
    ]);
    const states = imageStates([...images.keys()], [node('good:v1')], [failing('bad:v1')]);
    const unpullable = {
      code: 'IMAGE_UNPULLABLE',
      message: 'image bad:v1, which deployment/a needs, cannot be pulled: pod p1: ImagePullBackOff, not found.',
    };
    const told = 'image new:v1 (deployment/b) is on no node: whether it can be pulled is not known';
    const strict = judgeImages(images, states, { allowUnknown: false });
    expect(strict.refusals).toMatchObject([unpullable, { code: 'IMAGE_UNKNOWN', message: `${told}.` }]);
    expect(strict.warnings).toEqual([]);
    const allowed = judgeImages(images, states, { allowUnknown: true });
    expect(allowed.refusals).toMatchObject([unpullable]);
    expect(allowed.warnings).toEqual([told]);
  });

  test('is asked about when a plan brings it, not when it runs already or only restarts', () => {
    const { changes, desired } = comparing({
      live: [
        deployment('a', { image: 'a:v2' }),
        deployment('b', { image: 'b:v1', env: [{ name: 'X', value: '1' }] }),
        deployment('c', { image: 'c:v1', ...envFrom('config') }),
        configMap('config', { x: '1' }),
      ],
      target: [
        deployment('a'),
        deployment('b', { image: 'b:v1' }),
        deployment('c', { image: 'c:v1', ...envFrom('config') }),
        deployment('d'),
        configMap('config', { x: '2' }),
      ],
    });
    expect([...newImages(changes, desired)]).toEqual([
      ['a:v1', ['deployment/a']],
      ['d:v1', ['deployment/d']],
    ]);
  });
});
