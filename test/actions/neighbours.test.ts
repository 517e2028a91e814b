import { describe, expect, test } from 'vitest';
import { disturbedSince } from '../../src/actions/observe/neighbours.ts';
import type { KubeObject } from '../../src/model/index.ts';

const BEFORE = '2026-01-01T11:00:00Z';
const RUN = '2026-01-01T12:00:00Z';
const AFTER = '2026-01-01T12:10:00Z';

const metadata = { name: 'billing', namespace: 'next-door', uid: 'u1', generation: 1 };
const spec = { replicas: 2, selector: { matchLabels: { app: 'billing' } } };

const deployment = (status: 'True' | 'False', lastTransitionTime: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata,
  spec,
  status: {
    observedGeneration: 1,
    replicas: 2,
    updatedReplicas: 2,
    availableReplicas: status === 'True' ? 2 : 1,
    conditions: [{ type: 'Available', status, lastTransitionTime }],
  },
});
const statefulSet = (readyReplicas: number, updateRevision = 'one'): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata,
  spec,
  status: {
    observedGeneration: 1,
    replicas: 2,
    readyReplicas,
    currentRevision: 'one',
    updateRevision,
    updatedReplicas: 2,
  },
});
const daemonSet = (numberAvailable: number): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata,
  spec,
  status: { observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable },
});
const pod = (name: string, status: 'True' | 'False', lastTransitionTime: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'next-door',
    labels: { app: 'billing' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'billing', uid: 'u1', controller: true }],
  },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status, lastTransitionTime }] },
});

const found = (workload: KubeObject, pods: readonly KubeObject[] = []): readonly string[] =>
  disturbedSince(RUN, { workloads: [workload], pods, replicaSets: [] });

describe('a neighbour', () => {
  test.each([
    ['that serves', deployment('True', AFTER), [], false],
    ['that became unavailable after the run began', deployment('False', AFTER), [], true],
    ['that was unavailable before', deployment('False', BEFORE), [], false],
    ['with all of its replicas', statefulSet(2), [], false],
    ['that lacks a replica, nobody knows since when', statefulSet(1), [], true],
    ['that lacks a replica since the run', statefulSet(1), [pod('a', 'True', BEFORE), pod('b', 'False', AFTER)], true],
    ['that lacked a replica before', statefulSet(1), [pod('a', 'True', BEFORE), pod('b', 'False', BEFORE)], false],
    ['that is on its way to a version of its own', statefulSet(1, 'two'), [], false],
    ['that runs on every node', daemonSet(3), [], false],
    ['that lacks a node', daemonSet(2), [], true],
    ['of a kind that serves nobody', { apiVersion: 'batch/v1', kind: 'Job', metadata }, [], false],
  ])('%s', (_what, workload, pods, isDisturbed) => {
    expect(found(workload, pods)).toHaveLength(isDisturbed ? 1 : 0);
  });

  test('is named with what is wrong', () => {
    expect(found(deployment('False', AFTER))).toEqual([expect.stringMatching(/billing.*: 1 of 2 .*available/)]);
  });
});
