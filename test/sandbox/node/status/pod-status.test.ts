import { describe, expect, test } from 'vitest';
import { buildPodStatus, podPhase } from '../../../../src/sandbox/node/status/pod-status.ts';
import type { PodSpec, RestartPolicy } from '../../../../src/sandbox/node/pods/pod-types.ts';
import { podOf, statusOf } from '../pods-for-tests.ts';

type Shape = Parameters<typeof statusOf>[1];

const build = (
  shapes: readonly Shape[],
  init: readonly Shape[] = [],
  spec: Partial<PodSpec> = {},
  before: Parameters<typeof buildPodStatus>[0]['before'] = [],
) =>
  buildPodStatus({
    pod: podOf({
      containers: shapes.map((_shape, index) => ({ name: `c${index}` })),
      initContainers: init.map((_shape, index) => ({ name: `i${index}` })),
      ...spec,
    }),
    podIP: '10.244.1.2',
    hostIP: '127.0.0.1',
    startTime: '2026-01-01T00:00:00Z',
    containers: shapes.map((shape, index) => statusOf(`c${index}`, shape)),
    initContainers: init.map((shape, index) => statusOf(`i${index}`, shape)),
    ending: false,
    before,
    now: Date.parse('2026-01-01T00:05:00Z'),
  });

const conditions = (status: ReturnType<typeof build>): string =>
  status.conditions.map(({ type, status: value }) => `${type}=${value}`).join(' ');

describe('the phase of a pod', () => {
  test.each<[RestartPolicy, readonly Shape[], readonly Shape[], string]>([
    ['Always', ['waiting'], [], 'Pending'],
    ['Always', ['running', 'waiting'], [], 'Pending'],
    ['Always', ['running', 'ready'], [], 'Running'],
    ['Always', ['crash-loop'], [], 'Running'],
    ['Always', ['crashed'], [], 'Running'],
    ['Always', ['completed'], [], 'Running'],
    ['Always', ['waiting'], ['running'], 'Pending'],
    ['Always', ['waiting'], ['crash-loop'], 'Pending'],
    ['Never', ['waiting'], ['crashed'], 'Failed'],
    ['OnFailure', ['waiting'], ['crashed'], 'Pending'],
    ['Never', ['completed', 'completed'], ['completed'], 'Succeeded'],
    ['Never', ['completed', 'crashed'], [], 'Failed'],
    ['OnFailure', ['completed'], [], 'Succeeded'],
    ['OnFailure', ['crashed'], [], 'Running'],
    ['Never', ['completed', 'running'], [], 'Running'],
  ])('with policy %s, containers %j and init containers %j is %s', (restartPolicy, containers, init, phase) => {
    expect(build(containers, init, { restartPolicy })['phase']).toBe(phase);
  });

  test('at the end of a deletion is terminal whatever the policy', () => {
    const pod = podOf({ containers: [{ name: 'c0' }] });
    expect(podPhase({ pod, containers: [statusOf('c0', 'completed')], initContainers: [], ending: true })).toBe(
      'Succeeded',
    );
    expect(podPhase({ pod, containers: [statusOf('c0', 'crashed')], initContainers: [], ending: true })).toBe('Failed');
  });

  test('is Failed when the node itself ended the pod', () => {
    const pod = podOf({ containers: [{ name: 'c0' }] });
    const failed = { reason: 'DeadlineExceeded', message: 'late' };
    expect(podPhase({ pod, containers: [statusOf('c0', 'running')], initContainers: [], ending: false, failed })).toBe(
      'Failed',
    );
  });
});

describe('the conditions of a pod', () => {
  test.each<[readonly Shape[], readonly Shape[], Partial<PodSpec>, string]>([
    [['ready'], [], {}, 'PodReadyToStartContainers=True Initialized=True Ready=True ContainersReady=True'],
    [['running', 'ready'], [], {}, 'PodReadyToStartContainers=True Initialized=True Ready=False ContainersReady=False'],
    [
      ['waiting'],
      ['running'],
      {},
      'PodReadyToStartContainers=True Initialized=False Ready=False ContainersReady=False',
    ],
    [
      ['ready'],
      [],
      { readinessGates: [{ conditionType: 'x/y' }] },
      'PodReadyToStartContainers=True Initialized=True Ready=False ContainersReady=True',
    ],
    [
      ['completed'],
      [],
      { restartPolicy: 'Never' },
      'PodReadyToStartContainers=False Initialized=True Ready=False ContainersReady=False',
    ],
  ])('of containers %j after %j are right (%j)', (containers, init, spec, expected) => {
    expect(conditions(build(containers, init, spec))).toBe(expected);
  });

  test('name the containers that are not ready', () => {
    const ready = build(['running', 'ready']).conditions.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({ reason: 'ContainersNotReady', message: 'containers with unready status: [c0]' });
  });

  test('keep their transition time until their status changes', () => {
    const before = [
      { type: 'Ready', status: 'True' as const, lastTransitionTime: '2026-01-01T00:01:00Z' },
      { type: 'Initialized', status: 'False' as const, lastTransitionTime: '2026-01-01T00:01:00Z' },
    ];
    const after = build(['ready'], [], {}, before).conditions;
    expect(after.find(({ type }) => type === 'Ready')?.lastTransitionTime).toBe('2026-01-01T00:01:00Z');
    expect(after.find(({ type }) => type === 'Initialized')?.lastTransitionTime).toBe('2026-01-01T00:05:00Z');
  });

  test('never include those of the scheduler, which a patch of ours would overwrite', () => {
    expect(build(['ready']).conditions.map(({ type }) => type)).not.toContain('PodScheduled');
  });
});
