import { describe, expect, test } from 'vitest';
import { hangingPods, helpFor } from '../../src/health/index.ts';
import { type KubeObject, keyOf } from '../../src/model/index.ts';
import { aDeployment, aPod, aReplicaSet } from '../hooks/fake-cluster.ts';

const NOW = Date.parse('2026-01-01T00:01:00Z');
const WEB = aDeployment('web');
const SETS = [aReplicaSet('web-a', 'web', '1', 'a')];

function pod(change: { deleted?: string; node?: string; phase?: string } = {}): KubeObject {
  const plain = aPod('web-a-1', 'web', 'a', 'web:1');
  const { deleted, node, phase = 'Running' } = change;
  return {
    ...plain,
    metadata: { ...plain.metadata, ...(deleted === undefined ? {} : { deletionTimestamp: deleted }) },
    spec: { ...(plain['spec'] as object), ...(node === undefined ? {} : { nodeName: node }) },
    status: { phase },
  };
}

function node(ready: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    status: { conditions: [{ type: 'Ready', status: ready }] },
  };
}

const hang = (one: KubeObject, nodes: readonly KubeObject[] | undefined = []): readonly string[] =>
  hangingPods({ workloads: new Set([keyOf(WEB)]), pods: [one], replicaSets: SETS, nodes, now: NOW }).map(
    ({ why }) => why,
  );

describe('a pod hangs', () => {
  test.each([
    ['works', pod(), [], []],
    ['goes within its grace', pod({ deleted: '2026-01-01T00:01:30Z' }), [], []],
    ['goes a moment late', pod({ deleted: '2026-01-01T00:00:57Z' }), [], []],
    [
      'goes beyond its grace',
      pod({ deleted: '2026-01-01T00:00:48Z' }),
      [],
      ['is being deleted for 12 s longer than its grace'],
    ],
    ['is on a node that answers', pod({ node: 'n1' }), [node('True')], []],
    ['is on a node that says it is not ready', pod({ node: 'n1' }), [node('False')], []],
    ['is on a node that does not answer', pod({ node: 'n1' }), [node('Unknown')], ['its node n1 does not answer']],
    ['is on a node that is gone', pod({ node: 'n1' }), [], ['its node n1 is gone']],
    ['is over, on a node that is gone', pod({ node: 'n1', phase: 'Succeeded' }), [], []],
    ['is on a node that cannot be seen', pod({ node: 'n1' }), undefined, []],
  ] as const)('or not: one that %s', (_what, one, nodes, why) => {
    expect(
      hangingPods({ workloads: new Set([keyOf(WEB)]), pods: [one], replicaSets: SETS, nodes, now: NOW }).map(
        (found) => found.why,
      ),
    ).toEqual(why);
  });

  test('only of the workloads that are asked about, through their ReplicaSets', () => {
    const late = pod({ deleted: '2026-01-01T00:00:00Z' });
    expect(hang(late)).toHaveLength(1);
    const asked = { pods: [late], replicaSets: SETS, nodes: [], now: NOW };
    expect(hangingPods({ ...asked, workloads: new Set([keyOf(aDeployment('other'))]) })).toEqual([]);
    const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'u', controller: true };
    const own = { ...late, metadata: { ...late.metadata, ownerReferences: [owner] } };
    const db = keyOf({ apiVersion: 'apps/v1', kind: 'StatefulSet', namespace: 'production', name: 'db' });
    expect(hangingPods({ ...asked, pods: [own], workloads: new Set([db]) })).toMatchObject([{ workload: db }]);
  });
});

test.each([
  [[], ''],
  [['foregroundDeletion'], '--force-pods'],
  [['example.com/hold', 'foregroundDeletion'], '--force-finalizers'],
])('finalizers %j are helped by "%s"', (finalizers, flag) => {
  expect(helpFor(finalizers)).toContain(flag);
  expect(helpFor(finalizers) === '').toBe(flag === '');
});
