import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from '../../src/compose.ts';
import { isDigest, type KubeObject, type Snapshot } from '../../src/model/index.ts';
import type { SandboxInfo } from '../../src/sandbox/contract.ts';
import { testSandbox } from '../support/cluster.ts';
import { kubeconfigLike, reissued } from '../support/credentials.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { echo, type Shop, shop } from '../support/shop.ts';

/** What can be wrong with targets, snapshots, credentials and objects. Whatever it is, the stack stays as it was. */
describe('what cannot be done', () => {
  let here: Shop;
  let sandbox: SandboxInfo;
  let kubectl: Kubectl;
  let good: string;

  const configMap = (name: string, v: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: here.namespace },
    data: { v },
  });
  const objects = (v: string): KubeObject[] => [
    configMap('a', v),
    configMap('b', v),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'Opaque',
      metadata: { name: 's', namespace: here.namespace },
      stringData: { v },
    },
  ];
  const blob = (id: string): string =>
    join(here.machine.snapshotsDir, here.name, 'blobs', 'sha256', id.slice('sha256:'.length));
  const rollbackTo = (to: string, ...more: string[]): string[] => ['rollback', here.name, '--to', to, '--yes', ...more];
  /** Runs a command that is to be refused, and proves that nothing of the stack was touched. */
  const refusedUntouched = async (
    args: readonly string[],
  ): Promise<Awaited<ReturnType<Shop['machine']['refused']>>> => {
    const versions = await here.versions();
    const refused = await here.machine.refused(args);
    expect(await here.versions()).toEqual(versions);
    expect(refused.next).not.toBe('');
    return refused;
  };
  const apply = async (...items: readonly unknown[]): Promise<string> =>
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
      input: { apiVersion: 'v1', kind: 'List', items },
    });

  beforeAll(async () => {
    sandbox = await testSandbox();
    here = await shop('bad', '');
    kubectl = await kubectlFor(sandbox.kubeconfig);
    await apply(...objects('good'));
    good = (await here.capture(['--no-checks', '--as', 'good'])).id;
    await apply(...objects('bad'));
  });
  afterAll(async () => {
    const kinds = [
      'validatingadmissionpolicies',
      'validatingadmissionpolicybindings',
      'clusterroles',
      'clusterrolebindings',
    ];
    await kubectl(['delete', kinds.join(), '-l', `of=${here.name}`]);
    await kubectl(['-n', 'default', 'delete', 'serviceaccount', here.name, '--ignore-not-found']);
    await here.remove();
  });

  describe('targets', () => {
    it('lists the choices when no target is given', async () => {
      const refused = await refusedUntouched(['rollback', here.name, '--yes']);
      expect(refused).toMatchObject({ exit: 64, code: 'TARGET_MISSING' });
      expect(refused.details['choices']).toMatchObject([{ target: 'good', kind: 'snapshot', knownGood: false }]);
      const { stderr } = await here.machine.run(['rollback', here.name, '--yes']);
      expect(stderr).toMatch(/TARGET\s+AGE\s+STATE/);
      expect(stderr).toContain('good');
    });

    it('names the label that is nearest to one that nothing answers to', async () => {
      const refused = await refusedUntouched(rollbackTo('godo'));
      expect(refused).toMatchObject({ exit: 64, code: 'TARGET_UNKNOWN' });
      expect(refused.message).toContain('Did you mean good?');
    });

    it.each(['known-good', 'deployment/nobody@2', 'statefulset/db@1', '../../etc/passwd', 'ffff'])(
      'finds nothing under %s',
      async (target) => {
        const refused = await refusedUntouched(rollbackTo(target));
        expect(refused).toMatchObject({ exit: 64, code: 'TARGET_UNKNOWN' });
      },
    );

    it('names the candidates of a target that may mean two', async () => {
      // A label may look like the beginning of an id; then both are meant.
      const label = good.slice('sha256:'.length, 'sha256:'.length + 6);
      const other = await here.import(label, objects('another'));
      const refused = await refusedUntouched(rollbackTo(label));
      expect(refused).toMatchObject({ exit: 64, code: 'TARGET_AMBIGUOUS' });
      expect(refused.details['candidates']).toEqual([good, other].sort());
    });
  });

  describe('snapshots', () => {
    it.each([
      ['one changed byte', (bytes: Buffer) => Buffer.from(bytes.toString().replace('"v":"good"', '"v":"evil"'))],
      ['its end missing', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
      ['nothing in it', () => Buffer.alloc(0)],
    ])('refuses a snapshot with %s, by its name', async (_what, damage) => {
      const file = blob(good);
      const bytes = await readFile(file);
      expect(damage(bytes).equals(bytes)).toBe(false);
      await writeFile(file, damage(bytes));
      try {
        const refused = await refusedUntouched(rollbackTo(good));
        expect(refused).toMatchObject({ exit: 7, code: 'SNAPSHOT_TAMPERED' });
        expect(JSON.stringify(refused)).toContain(good.slice('sha256:'.length));
        const verified = await here.machine.run(['verify', here.name]);
        expect(verified.code).toBe(7);
        expect(verified.stdout).toContain(good.slice('sha256:'.length));
      } finally {
        await writeFile(file, bytes);
      }
      await here.machine.ok(['verify', here.name]);
    });

    it('refuses a snapshot whose secrets were exchanged', async () => {
      const shown = await here.machine.json<{ snapshot: Snapshot }>(['show', here.name, 'good']);
      const secrets = shown.snapshot.sighting.record.secrets?.blob ?? '';
      const file = blob(secrets);
      const bytes = await readFile(file);
      const other = Buffer.from(bytes);
      other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
      await writeFile(file, other);
      try {
        const refused = await refusedUntouched(rollbackTo('good'));
        expect(refused).toMatchObject({ exit: 7, code: 'SNAPSHOT_TAMPERED' });
      } finally {
        await writeFile(file, bytes);
      }
    });

    it('refuses when the key of its secrets is not at hand', async () => {
      const key = join(here.machine.configDir, 'keys', here.name, 'identity.txt');
      await rename(key, `${key}.away`);
      try {
        const refused = await refusedUntouched(rollbackTo('good'));
        expect(refused).toMatchObject({ exit: 7, code: 'KEY_MISSING' });
        expect(refused.message).toContain('identity');
      } finally {
        await rename(`${key}.away`, key);
      }
    });

    it('wants a signature, or to be told that there is none', async () => {
      const key = join(here.machine.configDir, 'keys', here.name, 'signing.jwk');
      await rename(key, `${key}.away`);
      try {
        const dir = join(here.manifestsDir, 'unsigned');
        await mkdir(dir, { recursive: true });
        await writeFile(join(dir, 'a.json'), JSON.stringify(configMap('a', 'unsigned')));
        const unable = await here.machine.refused(['import-manifests', here.name, dir]);
        expect(unable).toMatchObject({ exit: 7, code: 'KEY_MISSING' });
        await here.machine.ok(['import-manifests', here.name, dir, '--as', 'unsigned', '--allow-unsigned']);
      } finally {
        await rename(`${key}.away`, key);
      }
      const refused = await refusedUntouched(rollbackTo('unsigned'));
      expect(refused).toMatchObject({ exit: 7, code: 'SNAPSHOT_UNSIGNED' });
      expect(refused.next).toContain('--allow-unsigned');
    });

    it('makes nothing of a folder that is not there', async () => {
      const refused = await here.machine.refused(['import-manifests', here.name, join(here.manifestsDir, 'nowhere')]);
      expect(refused).toMatchObject({ exit: 64, code: 'MANIFESTS_INVALID' });
    });

    it('refuses a snapshot of another cluster', async () => {
      const { env, projectDir } = here.machine;
      const composition = await compose({ stack: here.name, env, cwd: projectDir });
      try {
        if (!isDigest(good)) throw new TypeError(`${good} is no id`);
        const snapshot = await composition.store.get(here.name, good);
        await composition.store.put(here.name, {
          content: { ...snapshot.content, clusterUid: '00000000-0000-4000-8000-000000000000' },
          secrets: await composition.store.secrets(here.name, snapshot),
          record: {
            capturedAt: new Date().toISOString(),
            reason: 'capture',
            labels: ['elsewhere'],
            checks: [],
            verdict: 'unknown',
          },
        });
      } finally {
        await composition.close();
      }
      const refused = await refusedUntouched(rollbackTo('elsewhere'));
      expect(refused).toMatchObject({ exit: 7, code: 'CLUSTER_MISMATCH' });
      expect(refused.message).toContain('00000000-0000-4000-8000-000000000000');
      const allowed = await here.machine.ok(['diff', here.name, '--to', 'elsewhere', '--allow-cluster-mismatch']);
      expect(allowed.stdout).toContain('configmap/a');
    });
  });

  describe('the API server', () => {
    const withKubeconfig = async (change: { token?: string; server?: string }): Promise<string[]> => [
      '--kubeconfig',
      await kubeconfigLike(sandbox.kubeconfig, join(here.machine.dir, 'other.kubeconfig'), change),
    ];
    /** A token of an account that may read everything in the namespace but Secrets. */
    const limitedToken = async (): Promise<string> => {
      const core = ['configmaps', 'services', 'serviceaccounts', 'pods', 'persistentvolumeclaims', 'limitranges'];
      const more = ['resourcequotas', 'replicationcontrollers', 'podtemplates', 'endpoints', 'events', 'namespaces'];
      await apply(
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: here.name, namespace: 'default' } },
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRole',
          metadata: { name: here.name, labels: { of: here.name } },
          rules: [
            { apiGroups: [''], resources: [...core, ...more], verbs: ['get', 'list', 'watch'] },
            {
              apiGroups: [
                'apps',
                'batch',
                'autoscaling',
                'networking.k8s.io',
                'policy',
                'rbac.authorization.k8s.io',
                'discovery.k8s.io',
                'events.k8s.io',
                'coordination.k8s.io',
                'storage.k8s.io',
                'resource.k8s.io',
                'admissionregistration.k8s.io',
              ],
              resources: ['*'],
              verbs: ['get', 'list', 'watch'],
            },
          ],
        },
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name: here.name, labels: { of: here.name } },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: here.name },
          subjects: [{ kind: 'ServiceAccount', name: here.name, namespace: 'default' }],
        },
      );
      return (await kubectl(['-n', 'default', 'create', 'token', here.name])).trim();
    };

    it('is not there', async () => {
      const args = await withKubeconfig({ server: 'https://127.0.0.1:1' });
      const refused = await refusedUntouched([...rollbackTo('good'), ...args]);
      expect(refused).toMatchObject({ exit: 1, code: 'CLUSTER_UNREACHABLE' });
      expect(refused.message).toContain('127.0.0.1:1');
    });

    it('does not know the credentials', async () => {
      const refused = await refusedUntouched([...rollbackTo('good'), ...(await withKubeconfig({ token: 'made-up' }))]);
      expect(refused).toMatchObject({ exit: 1, code: 'CLUSTER_UNAUTHENTICATED' });
      expect(JSON.stringify(refused)).not.toContain('made-up');
    });

    it('takes credentials until they run out', async () => {
      const token = await limitedToken();
      const alive = await here.machine.refused([
        ...rollbackTo('good'),
        ...(await withKubeconfig({ token: await reissued(token, sandbox, 600) })),
      ]);
      expect(alive.code).toBe('CLUSTER_FORBIDDEN');
      const expired = await withKubeconfig({ token: await reissued(token, sandbox, -3600) });
      const refused = await refusedUntouched([...rollbackTo('good'), ...expired]);
      expect(refused).toMatchObject({ exit: 1, code: 'CLUSTER_UNAUTHENTICATED' });
    });

    it.each(['capture', 'diff', 'rollback'])('does not let one read a kind, and %s names it', async (verb) => {
      const args = await withKubeconfig({ token: await limitedToken() });
      const command = { capture: ['capture', here.name, '--no-checks'], diff: ['diff', here.name, '--to', 'good'] }[
        verb
      ];
      const refused = await refusedUntouched([...(command ?? rollbackTo('good')), ...args]);
      expect(refused).toMatchObject({ exit: 1, code: 'CLUSTER_FORBIDDEN' });
      expect(refused.message).toMatch(/list/);
      expect(refused.message).toMatch(/secrets/i);
    });
  });

  describe('objects', () => {
    /** Refuses ConfigMap a of our namespace by an expression over `object` and `request`; resolves when it is in force. */
    const policy = async (expression: string, probe: () => Promise<unknown>): Promise<() => Promise<void>> => {
      const name = `${here.name}-policy`;
      const labels = { of: here.name };
      await apply(
        {
          apiVersion: 'admissionregistration.k8s.io/v1',
          kind: 'ValidatingAdmissionPolicy',
          metadata: { name, labels },
          spec: {
            matchConstraints: {
              resourceRules: [
                { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] },
              ],
            },
            validations: [{ expression, message: 'the moon is full' }],
          },
        },
        {
          apiVersion: 'admissionregistration.k8s.io/v1',
          kind: 'ValidatingAdmissionPolicyBinding',
          metadata: { name, labels },
          spec: {
            policyName: name,
            validationActions: ['Deny'],
            matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': here.namespace } } },
          },
        },
      );
      await expect
        .poll(async () => await probe().then(() => 'let through', String), { timeout: 20_000 })
        .toContain('moon');
      return async () => {
        await kubectl(['delete', 'validatingadmissionpolicy,validatingadmissionpolicybinding', name]);
        await expect
          .poll(async () => await probe().then(() => 'let through', String), { timeout: 20_000 })
          .toBe('let through');
      };
    };
    const dryRun = (v: string) => async (): Promise<unknown> =>
      await here.cluster.apply(configMap('a', v), { dryRun: true, force: true, fieldManager: 'probe' });

    it('is refused by admission when it is planned', async () => {
      const lift = await policy("request.name != 'a' || object.data.v != 'good'", dryRun('good'));
      const refused = await refusedUntouched(rollbackTo('good'));
      expect(refused).toMatchObject({ exit: 1, code: 'OBJECT_REFUSED' });
      expect(refused.message).toContain('the moon is full');
      expect(refused.message).toContain('ConfigMap/a');
      await lift();
    });

    it('is refused by admission in the middle of a run: named mixed, with the command that goes on', async () => {
      const write = async (): Promise<unknown> =>
        await here.cluster.patch(
          { apiVersion: 'v1', kind: 'ConfigMap', namespace: here.namespace, name: 'a' },
          { type: 'merge', body: { data: { probe: 'x' } } },
          { fieldManager: 'kubectl-patch' },
        );
      const lift = await policy("request.name != 'a' || (has(request.dryRun) && request.dryRun)", write);
      const { code, stdout } = await here.machine.run([...rollbackTo('good'), '--output', 'json']);
      const answer = JSON.parse(stdout) as { run: string; outcome: string; reason: string; next: string };
      expect(answer).toMatchObject({ outcome: 'mixed', next: `backstay resume ${answer.run}` });
      expect(code).toBe(4);
      expect(answer.reason).toContain('the moon is full');
      expect((await here.get('ConfigMap', 'a'))['data']).toMatchObject({ v: 'bad' });
      expect((await here.get('ConfigMap', 'b'))['data']).toEqual({ v: 'good' });
      await lift();
      const resumed = await here.machine.json<{ outcome: string }>(['resume', answer.run, '--yes']);
      expect(resumed.outcome).toBe('succeeded');
      expect((await here.capture()).id).toBe(good);
    });

    it('needs an image that a node could not pull: refused before anything acts', async () => {
      const { namespace } = here;
      await here.import('gone', [...objects('good'), echo(namespace, 'web', { tag: 'gone' })]);
      await apply(echo(namespace, 'try-out', { tag: 'gone' }));
      const waiting = ['-n', namespace, 'wait', 'pod', '-l', 'app=try-out', '--timeout=60s'];
      await kubectl([
        ...waiting,
        '--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff',
      ]);
      const refused = await refusedUntouched(rollbackTo('gone', '--scope', 'web'));
      expect(refused).toMatchObject({ exit: 7, code: 'IMAGE_UNPULLABLE' });
      expect(refused.message).toContain('backstay/echo:gone');
      await kubectl(['-n', namespace, 'delete', 'deployment', 'try-out', '--wait']);
      await kubectl(['-n', namespace, 'wait', 'pod', '-l', 'app=try-out', '--for=delete', '--timeout=60s']);
    });

    it('needs an image of which nothing is known: refused; allowed, it is told, named mixed after, and there is a way out', async () => {
      const refused = await refusedUntouched(rollbackTo('gone', '--scope', 'web'));
      expect(refused).toMatchObject({ exit: 7, code: 'IMAGE_UNKNOWN' });
      expect(refused.next).toContain('--allow-unknown-images');
      const allowed = [...rollbackTo('gone', '--scope', 'web'), '--allow-unknown-images'];
      const plan = await here.machine.json<{ warnings: string[] }>([...allowed, '--dry-run']);
      expect(plan.warnings.join()).toContain('whether it can be pulled is not known');
      const { code, stdout } = await here.machine.run([...allowed, '--timeout', '8s', '--output', 'json']);
      const answer = JSON.parse(stdout) as { run: string; outcome: string; reason: string; next: string };
      expect(code).toBe(4);
      expect(answer).toMatchObject({ outcome: 'mixed', next: `backstay resume ${answer.run}` });
      expect(answer.reason).toMatch(/ErrImagePull|ImagePullBackOff/);
      expect(answer.reason).toContain('deployment/web');
      const giveUp = ['--abandon', answer.run, '--reason', 'that image is gone'];
      expect((await here.rollback(['--to', good, ...giveUp])).outcome).toBe('succeeded');
      expect((await here.capture()).id).toBe(good);
    });
  });
});
