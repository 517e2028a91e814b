import { describe, expect, test } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import { keyOf, type KubeObject, MAINTENANCE, refOf, type StepAction, turnOn } from '../../../src/model/index.ts';
import type { RunDeps } from '../../../src/rollback/index.ts';
import { aDeployment, type FakeCluster, type FakeClusterOptions } from '../../hooks/fake-cluster.ts';
import { aStep } from '../builders.ts';
import { perform } from '../step-support.ts';

const FLAG: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'web', namespace: 'production' },
  data: { CLOSED: 'false' },
};
const WEB = aDeployment('web');
const PLACE = { kind: 'key', key: 'CLOSED' } as const;
const CHECK = { target: { url: 'http://shop.example/' }, accept: [503], timeoutMs: 2_000 };
type Closing = Extract<StepAction, { kind: 'maintenance-on' }>;

const closing = (part: Partial<Closing> = {}): Closing => ({
  kind: 'maintenance-on',
  flag: 'CLOSED',
  object: refOf(FLAG),
  place: PLACE,
  on: 'true',
  off: 'false',
  workloads: [refOf(WEB)],
  ...part,
});
const opening = (part: Partial<Closing> = {}): StepAction => ({ ...closing(part), kind: 'maintenance-off' });
const closed = (run: string): KubeObject => {
  const answer = turnOn(FLAG, PLACE, 'true', run);
  return answer.kind === 'write' ? answer.object : FLAG;
};

/** The controller of the Deployment: what is changed is rolled out. */
function at(...objects: readonly KubeObject[]): FakeClusterOptions {
  const onPatch = (object: KubeObject, cluster: FakeCluster): void => {
    if (object.kind !== 'Deployment') return;
    const status = { ...(WEB['status'] as object), observedGeneration: object.metadata.generation };
    setImmediate(() => cluster.put({ ...object, status }));
  };
  return { objects: [WEB, ...objects], onPatch };
}
const answering = (...statuses: readonly (number | 'nothing')[]): Partial<RunDeps> => {
  let asked = 0;
  const ask = async () => {
    const status = statuses[Math.min(asked++, statuses.length - 1)] ?? 'nothing';
    if (status === 'nothing') throw new BackstayError('ENDPOINT_UNREACHABLE', 'nobody listens');
    return { status, headers: {}, body: '' };
  };
  return { ask };
};
const flagIn = (cluster: FakeCluster): unknown =>
  (cluster.objects.get(keyOf(FLAG))?.['data'] as { CLOSED?: string } | undefined)?.CLOSED;
const restartsIn = (cluster: FakeCluster): unknown => {
  const spec = cluster.objects.get(keyOf(WEB))?.['spec'] as { template: { metadata: { annotations?: object } } };
  return spec.template.metadata.annotations;
};

describe('turning maintenance mode on', () => {
  test('sets the flag, restarts who reads it, and sees that it shows', async () => {
    const { result, cluster } = await perform(closing({ check: CHECK }), {
      cluster: at(FLAG),
      deps: answering(200, 'nothing', 503),
    });
    expect(result).toMatchObject({ outcome: 'done', touched: true });
    expect(result.result).toEqual({ ours: true, was: 'false', owner: 'run r1' });
    expect(flagIn(cluster)).toBe('true');
    expect(restartsIn(cluster)).toMatchObject({ 'backstay.dev/restarted-for': 'r1/maintenance-on' });
  });

  test('restarts nothing twice', async () => {
    const first = await perform(closing(), { cluster: at(FLAG) });
    const again = await perform(closing(), { cluster: { objects: [...first.cluster.objects.values()] }, attempt: 2 });
    expect(again.result).toMatchObject({ outcome: 'done', result: { ours: true } });
    expect(again.cluster.calls).toEqual([]);
  });

  test('fails where it does not show', async () => {
    const { result } = await perform(closing({ check: CHECK }), { cluster: at(FLAG), deps: answering(200) });
    expect(result).toMatchObject({ outcome: 'failed', code: 'MAINTENANCE_UNPROVEN', result: { ours: true } });
    expect(result.message).toBe('CLOSED is on, and http://shop.example/ answers 200');
  });

  test('says by whom it was on already, and touches nothing', async () => {
    const managedFields = [
      { manager: 'kubectl', operation: 'Update', time: '2026-01-01T00:00:00Z' },
      { manager: 'carls-script', operation: 'Update', time: '2026-01-02T00:00:00Z' },
    ] as const;
    const theirs = { ...FLAG, metadata: { ...FLAG.metadata, managedFields }, data: { CLOSED: 'true' } };
    const { result, cluster } = await perform(closing(), { cluster: at(theirs) });
    expect(result).toMatchObject({ outcome: 'done', touched: false, result: { ours: false, was: 'true' } });
    expect(result.message).toContain('by carls-script at 2026-01-02T00:00:00Z');
    expect(cluster.calls).toEqual([]);
    const before = { 'maintenance-on': { ours: false, was: 'true', owner: 'carls-script' } };
    const off = await perform(opening(), { cluster: at(theirs), before });
    expect(off.result).toMatchObject({ outcome: 'done', touched: false });
    expect(flagIn(off.cluster)).toBe('true');
  });

  test('takes over what a dead run left on, and says whose it was', async () => {
    const { result, cluster } = await perform(closing(), { cluster: at(closed('r0')) });
    expect(result).toMatchObject({ outcome: 'done', result: { ours: true, was: 'false' } });
    expect(result.message).toContain('was on since run r0');
    const off = await perform(opening(), {
      cluster: at(...[...cluster.objects.values()].filter(({ kind }) => kind === 'ConfigMap')),
    });
    expect(flagIn(off.cluster)).toBe('false');
  });

  test('fails where the object of the flag is gone', async () => {
    await expect(perform(closing(), { cluster: at() })).rejects.toMatchObject({ code: 'MAINTENANCE_UNPROVEN' });
  });

  test('asks no more of a reader than it was before: one that has failed need not come up', async () => {
    const conditions = [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }];
    const sick = aDeployment('web', { status: { updatedReplicas: 0, conditions } });
    const cluster = { objects: [sick, FLAG] };
    const { result } = await perform(closing(), { cluster, stack: { readyTimeoutMs: 150 } });
    expect(result).toMatchObject({ outcome: 'warned' });
    const well = await perform(closing(), { cluster: { objects: [WEB, FLAG] }, stack: { readyTimeoutMs: 150 } }).catch(
      (error: unknown) => error,
    );
    expect(well).toMatchObject({ code: 'TIMEOUT' });
  });
});

describe('turning maintenance mode off', () => {
  const before = { 'maintenance-on': { ours: true, was: 'false', owner: 'run r1' } };

  test('gives back what was, restarts who reads it, and sees that it shows', async () => {
    const { result, cluster } = await perform(opening({ check: CHECK }), {
      cluster: at(closed('r1')),
      deps: answering(503, 503, 200),
      before,
    });
    expect(result).toMatchObject({ outcome: 'done', result: { value: 'false' } });
    expect(flagIn(cluster)).toBe('false');
    expect(cluster.objects.get(keyOf(FLAG))?.metadata.annotations ?? {}).not.toHaveProperty([MAINTENANCE]);
    expect(restartsIn(cluster)).toMatchObject({ 'backstay.dev/restarted-for': 'r1/maintenance-off' });
  });

  test('restarts also when it was killed right after the flag was set', async () => {
    const { cluster } = await perform(opening(), { cluster: at(FLAG), before, attempt: 2 });
    expect(restartsIn(cluster)).toMatchObject({ 'backstay.dev/restarted-for': 'r1/maintenance-off' });
  });

  test('knows from the journal what another tool has taken off the object', async () => {
    const stripped = { ...FLAG, data: { CLOSED: 'true' } };
    const { cluster } = await perform(opening(), { cluster: at(stripped), before });
    expect(flagIn(cluster)).toBe('false');
    const was = { 'maintenance-on': { ours: true, was: null, owner: 'run r1' } };
    const unknown = await perform(opening({ off: 'no' }), { cluster: at(stripped), before: was });
    expect(flagIn(unknown.cluster)).toBe('no');
  });

  test('leaves what another run has turned on', async () => {
    const { result, cluster } = await perform(opening(), { cluster: at(closed('r2')) });
    expect(result).toMatchObject({ outcome: 'done', touched: false });
    expect(result.message).toContain('run r2');
    expect(flagIn(cluster)).toBe('true');
  });

  test('fails where it still shows', async () => {
    const given = { cluster: at(closed('r1')), deps: answering(503), before };
    const { result } = await perform(opening({ check: CHECK }), given);
    expect(result).toMatchObject({ outcome: 'failed', code: 'MAINTENANCE_UNPROVEN' });
    expect(result.message).toBe('CLOSED is off, and http://shop.example/ answers 503');
  });
});

test('a step of a plan carries everything that a resume on another machine needs', () => {
  const step = aStep('maintenance-on', 'quiesced', { action: closing({ check: CHECK }) });
  expect(JSON.parse(JSON.stringify(step))).toEqual(step);
});
