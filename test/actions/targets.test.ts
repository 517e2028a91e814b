import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { diffStack } from '../../src/actions/diff.ts';
import { takeInventory } from '../../src/actions/inventory.ts';
import { listTargets, resolveTarget } from '../../src/actions/targets.ts';
import { fieldPathGet, type KubeObject, type Snapshot, shortId } from '../../src/model/index.ts';
import { type Planning, planning } from './planning.ts';

const gateway = (image: string, env: readonly object[] = []): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'gateway' },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: 'gateway' } },
    template: { metadata: { labels: { app: 'gateway' } }, spec: { containers: [{ name: 'gateway', image, env }] } },
  },
});
const config = (value: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'config' },
  data: { MODE: value },
});

const IMAGE = 'spec.template.spec.containers[name=gateway].image';
const imageIn = ({ content }: Snapshot): unknown =>
  fieldPathGet(
    content.objects.find(({ kind }) => kind === 'Deployment'),
    IMAGE,
  );

/** Waits, by watch, until the controller has made a ReplicaSet of this image. */
async function untilRevision({ cluster, namespace }: Planning, image: string): Promise<void> {
  const kind = await cluster.kindOf('apps/v1', 'ReplicaSet');
  if (kind === undefined) throw new TypeError('ReplicaSets are not served');
  const seen = new AbortController();
  for await (const event of cluster.watch(kind, {
    namespace,
    signal: AbortSignal.any([seen.signal, AbortSignal.timeout(30_000)]),
  })) {
    if (event.type === 'synced' || event.type === 'deleted') continue;
    const { annotations } = event.object.metadata;
    if (fieldPathGet(event.object, IMAGE) === image && annotations?.['deployment.kubernetes.io/revision'] !== undefined)
      break;
  }
  seen.abort();
}

describe('a target', () => {
  let here: Planning;
  const resolve = async (said: string | undefined): Promise<Snapshot> => {
    const inventory = await takeInventory(here.cluster, here.deps.stack);
    return await resolveTarget(said, { inventory, allowUnsigned: false }, here.deps);
  };
  beforeEach(async () => {
    here = await planning();
    await here.make(gateway('app:v1'), config('docling'));
    await untilRevision(here, 'app:v1');
    await here.put(gateway('app:v2'));
    await untilRevision(here, 'app:v2');
  });
  afterEach(() => here.remove());

  test.each(['deployment/gateway@1', 'deploy/gateway@1', 'deployment/gateway@previous'])(
    '%s is what is live with the pods of that revision, and nothing beside it changes',
    async (said) => {
      const target = await resolve(said);
      expect(imageIn(target)).toBe('app:v1');
      expect(target.sighting.record).toMatchObject({
        reason: 'revision',
        note: 'deployment/gateway revision 1, everything else as live',
      });
      const { changes } = await diffStack({ scope: { kind: 'full' }, to: said }, here.deps);
      expect(changes.map(({ ref, fields }) => [ref.kind, fields.map(({ path }) => path)])).toEqual([
        ['Deployment', [IMAGE]],
      ]);
    },
  );

  const unknown: readonly (readonly [string, string])[] = [
    ['deployment/gateway@9', 'there are 2, 1'],
    ['deployment/other@1', 'has no Deployment other'],
    ['statefulset/gateway@1', 'only deployment/NAME@REVISION'],
    ['nothing-like-it', 'nothing-like-it'],
  ];
  test.each(unknown)('%s is refused as unknown, saying what there is', async (said, message) => {
    await expect(resolve(said)).rejects.toMatchObject({
      code: 'TARGET_UNKNOWN',
      message: expect.stringContaining(message),
    });
  });

  test('that is not given is refused with the choices: image, age, verdict, known good or not', async () => {
    await here.store([gateway('app:v1'), config('mineru')], { labels: ['v1'], verdict: 'pass' });
    await expect(resolve(undefined)).rejects.toMatchObject({
      code: 'TARGET_MISSING',
      details: { choices: [{ target: 'v1' }, {}, {}] },
    });
    const { choices } = await listTargets(here.deps);
    expect(
      choices.map(({ kind, target, images, current, knownGood }) => ({ kind, target, images, current, knownGood })),
    ).toEqual([
      { kind: 'snapshot', target: 'v1', images: [], current: false, knownGood: true },
      { kind: 'revision', target: 'deployment/gateway@2', images: ['app:v2'], current: true, knownGood: false },
      { kind: 'revision', target: 'deployment/gateway@1', images: ['app:v1'], current: false, knownGood: false },
    ]);
    for (const { ageMs, at } of choices)
      expect([Number.isFinite(ageMs), new Date(at).toISOString()]).toEqual([true, expect.any(String)]);
  });

  test('that is a revision is known good when a known good snapshot ran these very pods', async () => {
    const inventory = await takeInventory(here.cluster, here.deps.stack);
    await here.store(inventory.objects, { verdict: 'pass' });
    const good = (await listTargets(here.deps)).choices.filter(({ knownGood }) => knownGood);
    expect(good.map(({ target, kind }) => (kind === 'snapshot' ? 'snapshot' : target))).toEqual([
      'snapshot',
      'deployment/gateway@2',
    ]);
  });

  test('previous counts from what is live now, not from the newest snapshot', async () => {
    const older = await here.store([gateway('app:v1'), config('mineru')]);
    const newer = await here.store([gateway('app:v1'), config('other')]);
    expect((await resolve('previous')).id).toBe(newer);
    expect((await resolve(shortId(older as `sha256:${string}`))).id).toBe(older);
  });
});

describe('the difference that is shown', () => {
  let here: Planning;
  beforeEach(async () => {
    here = await planning();
  });
  afterEach(() => here.remove());

  test('between two snapshots needs no look at the cluster and keeps to the scope', async () => {
    const from = await here.store([gateway('app:v2'), config('docling')]);
    const to = await here.store([gateway('app:v1'), config('mineru')]);
    const [live, target] = [
      { ...here.deps, cluster: {} as Planning['cluster'] },
      { from, to },
    ];
    const whole = await diffStack({ ...target, scope: { kind: 'full' } }, live);
    expect(whole.changes.map(({ action, ref }) => `${action} ${ref.kind}`)).toEqual([
      'update Deployment',
      'update ConfigMap',
    ]);
    const part = await diffStack({ ...target, scope: { kind: 'config' } }, live);
    expect(part.changes.flatMap(({ fields }) => fields)).toEqual([
      { path: 'data.MODE', kind: 'changed', before: 'docling', after: 'mineru' },
    ]);
  });

  test('against live tells as data what would refuse a rollback', async () => {
    await here.make(gateway('app:v1'));
    await here.put(gateway('app:v2'), 'argocd-controller');
    const id = await here.store([gateway('app:v1')]);
    const { refusals, changes } = await diffStack({ scope: { kind: 'full' }, to: id }, here.deps);
    expect(changes).toHaveLength(1);
    expect(refusals.map(({ code }) => code)).toEqual(['OBJECT_CONFLICT', 'IMAGE_UNKNOWN']);
  });
});
