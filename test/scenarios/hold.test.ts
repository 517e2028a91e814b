import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HELD, type KubeObject, type ObjectRef, SUSPENDED } from '../../src/model/index.ts';
import { testCluster, testNamespace } from '../support/cluster.ts';
import { type Doorman, doorman } from '../support/doorman.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { echo, type RunAnswer, type Shop, shop } from '../support/shop.ts';

const HPA_SPEC = {
  scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
  minReplicas: 1,
  maxReplicas: 3,
  metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
};
const SYNC = { automated: { prune: true, selfHeal: true }, syncOptions: ['CreateNamespace=false'] };

/** Stands in for Argo CD: its kind in the API server, with the controller's part played by the test where it matters. */
const APPLICATIONS: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'applications.argoproj.io' },
  spec: {
    group: 'argoproj.io',
    scope: 'Namespaced',
    names: { kind: 'Application', plural: 'applications', singular: 'application', listKind: 'ApplicationList' },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

describe('what a run holds', () => {
  let here: Shop;
  let argocd: Awaited<ReturnType<typeof testNamespace>>;
  let door: Doorman;
  let kubectl: Kubectl;
  let good: string;

  const ref = (apiVersion: string, kind: string, namespace: string, name: string): ObjectRef => ({
    apiVersion,
    kind,
    namespace,
    name,
  });
  const read = async (one: ObjectRef): Promise<KubeObject> => {
    const found = await here.cluster.get(one);
    if (found === undefined) throw new TypeError(`${one.kind} ${one.name} is not there`);
    return found;
  };
  const hpa = async (): Promise<KubeObject> =>
    await read(ref('autoscaling/v2', 'HorizontalPodAutoscaler', here.namespace, 'web'));
  const app = async (): Promise<KubeObject> =>
    await read(ref('argoproj.io/v1alpha1', 'Application', argocd.name, 'shop'));
  const behaviorOf = (object: KubeObject): unknown => (object['spec'] as { behavior?: unknown }).behavior;
  const syncOf = (object: KubeObject): unknown => (object['spec'] as { syncPolicy?: unknown }).syncPolicy;
  const web = async (): Promise<KubeObject> => await here.get('Deployment', 'web');
  const idNow = async (): Promise<string> => (await here.capture()).id;
  const rollback = (): string[] => ['rollback', here.name, '--to', 'good', '--yes', '--output', 'json'];

  const apply = async (items: readonly KubeObject[]): Promise<unknown> =>
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
      input: { apiVersion: 'v1', kind: 'List', items },
    });
  const autoscaler = (spec: object = {}): KubeObject => ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web', namespace: here.namespace },
    spec: { ...HPA_SPEC, ...spec },
  });
  const application = (syncPolicy: object = SYNC): KubeObject => ({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'shop', namespace: argocd.name },
    spec: { project: 'default', destination: { namespace: here.namespace }, syncPolicy },
  });
  const bad = async (): Promise<unknown> =>
    await apply([echo(here.namespace, 'web', { tag: 'v2' }), autoscaler(), application()]);

  beforeAll(async () => {
    door = await doorman();
    const { cluster, kubeconfig } = await testCluster();
    kubectl = await kubectlFor(kubeconfig);
    await cluster.create(APPLICATIONS);
    await kubectl(['wait', '--for=condition=Established', 'crd/applications.argoproj.io', '--timeout=30s']);
    argocd = await testNamespace('argocd');
    here = await shop(
      'hold',
      `  backstay:hold:
    argocd: [{ name: shop, namespace: ${argocd.name} }]
  backstay:hooks:
    - name: look
      phase: quiesced
      timeout: 2m
      action: { kind: http, target: { url: ${door.url}/look } }
`,
    );
    await apply([echo(here.namespace, 'web', { tag: 'v1' }), autoscaler(), application()]);
    await kubectl(['-n', here.namespace, 'rollout', 'status', 'deployment/web', '--timeout=60s']);
    good = (await here.capture(['--no-checks', '--as', 'good'])).id;
  });
  afterAll(async () => {
    await kubectl(['delete', 'crd', 'applications.argoproj.io', '--wait=false']);
    await here.remove();
    await argocd.remove();
    await door.close();
  });
  beforeEach(async () => {
    door.forget();
    await kubectl(['-n', argocd.name, 'delete', 'application', 'shop', '--ignore-not-found']);
    await kubectl(['-n', here.namespace, 'delete', 'hpa', 'web', '--ignore-not-found']);
    await bad();
  });

  it('is suspended while the run works, seen as what it is, and given back; Argo CD when the run is undone', async () => {
    const before = await idNow();
    const { arrived, open } = door.hold('/look');
    const run = here.machine.start(rollback());
    await arrived;
    expect(behaviorOf(await hpa())).toMatchObject({
      scaleUp: { selectPolicy: 'Disabled' },
      scaleDown: { selectPolicy: 'Disabled' },
    });
    expect(syncOf(await app())).toEqual({ syncOptions: SYNC.syncOptions });
    // Nothing of that is the stack's own state.
    expect(await idNow()).toBe(before);
    open();
    const { code, stdout } = await run.ended;
    expect(code).toBe(0);
    const answer = JSON.parse(stdout) as RunAnswer;
    expect(await idNow()).toBe(good);
    expect(behaviorOf(await hpa())).toBeUndefined();
    expect((await hpa()).metadata.annotations ?? {}).not.toHaveProperty([SUSPENDED]);
    // Git still has the failing version.
    expect(syncOf(await app())).toEqual({ syncOptions: SYNC.syncOptions });
    expect(JSON.parse((await web()).metadata.annotations?.[HELD] ?? '{}')).toMatchObject({
      run: answer.run,
      snapshot: before,
      images: { echo: 'backstay/echo:v2' },
    });

    await here.machine.ok(['undo', answer.run, '--yes', '--reason', 'it was the network']);
    expect(await idNow()).toBe(before);
    expect(syncOf(await app())).toEqual(SYNC);
    expect((await app()).metadata.annotations ?? {}).not.toHaveProperty([SUSPENDED]);
    expect((await web()).metadata.annotations ?? {}).not.toHaveProperty([HELD]);
  });

  it('is given back exactly when the run goes back', async () => {
    const before = await hpa();
    const { arrived, open } = door.hold('/look');
    const run = here.machine.start(rollback());
    await arrived;
    run.child.kill('SIGINT');
    await run.said('SIGINT: stopping after the step under way');
    open();
    expect((await run.ended).code).toBe(130);
    expect((await hpa())['spec']).toEqual(before['spec']);
    expect(syncOf(await app())).toEqual(SYNC);
  });

  it('survives a kill: the resumed run gives it back once', async () => {
    const custom = { behavior: { scaleDown: { stabilizationWindowSeconds: 60 } } };
    await apply([autoscaler(custom)]);
    const before = await hpa();
    const { arrived } = door.hold('/look');
    const run = here.machine.start(['rollback', here.name, '--to', 'good', '--scope', 'web', '--yes']);
    await arrived;
    run.child.kill('SIGKILL');
    await run.ended;
    expect(behaviorOf(await hpa())).toMatchObject({ scaleUp: { selectPolicy: 'Disabled' } });
    const { items } = await here.machine.json<{ items: { run: string }[] }>(['history', here.name]);
    await here.machine.json<RunAnswer>(['resume', items[0]?.run ?? '', '--yes']);
    // The target has none of its own, and its autoscaler belongs to the workload.
    expect(behaviorOf(await hpa())).toBeUndefined();
    expect(before['spec']).toHaveProperty('behavior');
    expect(syncOf(await app())).toEqual({ syncOptions: SYNC.syncOptions });
  });

  it('stays as somebody left it who changed it meanwhile, and that is said', async () => {
    const { run } = await here.rollback(['--to', 'good']);
    const theirs = { automated: { prune: false } };
    await kubectl([
      '-n',
      argocd.name,
      'patch',
      'application',
      'shop',
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { syncPolicy: { ...theirs, syncOptions: null } } }),
    ]);
    const undone = await here.machine.ok(['undo', run, '--yes', '--reason', 'enough']);
    expect(undone.stderr).toContain('changed by somebody else');
    expect(syncOf(await app())).toEqual(theirs);
  });

  it('is known again after a drift, cannot be released to by accident, and goes by a person’s word', async () => {
    const failing = await idNow();
    const { run } = await here.rollback(['--to', 'good']);
    await apply([echo(here.namespace, 'web', { tag: 'v2', labels: { team: 'night' } })]);
    await kubectl(['-n', here.namespace, 'rollout', 'status', 'deployment/web', '--timeout=60s']);
    const seen = await here.machine.json<{ id: string; knownGood: boolean; held?: { run: string; snapshot: string } }>([
      'capture',
      here.name,
    ]);
    expect(seen.id).not.toBe(failing);
    expect(seen).toMatchObject({ knownGood: false, held: { run, snapshot: failing } });
    const refused = await here.machine.refused(['apply', here.name, '--to', failing, '--yes']);
    expect(refused).toMatchObject({ exit: 7, code: 'PLAN_REFUSED', details: { flag: '--allow-held', run } });
    expect(refused.next).toContain('backstay release');
    const rows = async (): Promise<readonly { id: string; held?: object }[]> =>
      (await here.machine.json<{ items: { id: string; held?: object }[] }>(['list', here.name])).items;
    expect((await rows()).filter(({ held }) => held !== undefined).map(({ id }) => id)).toEqual(
      expect.arrayContaining([seen.id, failing]),
    );
    expect(await here.machine.refused(['release', here.name, seen.id, '--yes'])).toMatchObject({ code: 'USAGE' });
    const released = await here.machine.json<{ released: string[]; unmarked: string[] }>([
      'release',
      here.name,
      seen.id,
      '--reason',
      'it was the network',
      '--yes',
    ]);
    expect(released.released).toEqual(expect.arrayContaining([seen.id, failing]));
    expect((await rows()).filter(({ id, held }) => held !== undefined && (id === seen.id || id === failing))).toEqual(
      [],
    );
    expect((await web()).metadata.annotations ?? {}).not.toHaveProperty([HELD]);
    expect(await here.machine.json(['release', here.name, seen.id, '--reason', 'again', '--yes'])).toMatchObject({
      outcome: 'not-held',
    });
    await here.machine.ok(['apply', here.name, '--to', failing, '--yes']);
    expect(await idNow()).toBe(failing);
    // What the rollback holds is not the release's to give back.
    expect(JSON.parse((await app()).metadata.annotations?.[SUSPENDED] ?? '{}')).toMatchObject({ runs: [run] });
  });

  it('refuses before anything happens when what is declared is not there; an emergency goes on, and says so', async () => {
    await kubectl(['-n', argocd.name, 'delete', 'application', 'shop']);
    const now = await here.versions();
    const refused = await here.machine.refused(['rollback', here.name, '--to', 'good', '--yes']);
    expect(refused).toMatchObject({ exit: 7, code: 'HOLD_UNAVAILABLE' });
    expect(refused.message).toContain(`there is no Application shop in ${argocd.name}`);
    expect(await here.versions()).toEqual(now);
    const { stderr } = await here.machine.ok(['rollback', here.name, '--to', 'good', '--yes', '--emergency']);
    expect(stderr).toContain("Git's version may come back");
    expect(await idNow()).toBe(good);
  });

  it('warns of objects that Argo CD brings and that nobody declared', async () => {
    await kubectl([
      '-n',
      here.namespace,
      'annotate',
      'deployment',
      'web',
      'argocd.argoproj.io/tracking-id=other:apps/Deployment:x/web',
    ]);
    const { stdout } = await here.machine.ok(['rollback', here.name, '--to', 'good', '--dry-run']);
    expect(stdout).toContain('deployment/web is brought by the Argo CD Application other');
    await kubectl(['-n', here.namespace, 'annotate', 'deployment', 'web', 'argocd.argoproj.io/tracking-id-']);
  });
});
