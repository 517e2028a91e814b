import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/model/index.ts';
import { findTool } from '../../src/toolchain/index.ts';
import { testSandbox } from '../support/cluster.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { disguises, filesBelow, findIn, findInFiles } from '../support/search.ts';
import { echo, type RunAnswer, type Shop, serviceOf, shop } from '../support/shop.ts';

const MARK = 'greeting-that-is-no-secret';
const VALUES = {
  'the old password': 'cAnary/Old+pa55word~3f9c',
  'the new password': 'cAnary/New+pa55word~77e1',
  'the password of the database': 'cAnary/Db+pa55word~d04b',
} as const;

/** A stack that others made and change with kubectl; Backstay takes it back, all of it, and gives no secret away. */
describe('a stack that many hands changed', () => {
  let here: Shop;
  let kubectl: Kubectl;
  let tools: string;
  let good: string;
  let before: string;
  let answer: RunAnswer;
  const in_ = (...args: string[]): string[] => ['-n', here.namespace, ...args];
  const settled = async (): Promise<string> =>
    await kubectl(in_('rollout', 'status', 'deployment/echo', '--timeout=60s'));

  function objects(release: 'good' | 'bad'): KubeObject[] {
    const { namespace } = here;
    const isGood = release === 'good';
    return [
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'echo-config', namespace },
        data: {
          GREETING: isGood ? MARK : 'what the bad release says',
          'app.yaml': isGood ? 'a: 1\nb: 2\n' : 'a: 1\nb: 3\n',
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'Opaque',
        metadata: { name: 'echo-secret', namespace },
        stringData: { PASSWORD: VALUES[isGood ? 'the old password' : 'the new password'] },
      },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'Opaque',
        metadata: { name: 'db-credentials', namespace },
        stringData: {
          DATABASE_URL: `postgresql://shop:${encodeURIComponent(VALUES['the password of the database'])}@db:5432/shop`,
          POSTGRES_PASSWORD: VALUES['the password of the database'],
        },
      },
      echo(namespace, 'echo', {
        tag: isGood ? 'v1' : 'v2',
        reads: ['echo-config'],
        secrets: ['echo-secret', 'db-credentials'],
        env: { RELEASE: release },
      }),
      serviceOf(namespace, 'echo'),
    ];
  }

  beforeAll(async () => {
    tools = await mkdtemp(join(tmpdir(), 'backstay-tools-'));
    const pulumi = await findTool('pulumi');
    // Stands before the real one and writes down what each start was told.
    const recorder = join(tools, 'pulumi');
    await writeFile(
      recorder,
      `#!/bin/sh\n{ printf '%s\\n' "$0" "$@"; printf -- '--\\n'; } >> '${tools}/arguments'\nexec '${pulumi.path}' "$@"\n`,
    );
    await chmod(recorder, 0o755);
    here = await shop('residue', '', { env: { BACKSTAY_PULUMI: recorder } });
    kubectl = await kubectlFor((await testSandbox()).kubeconfig);
    await kubectl(in_('apply', '-f', '-'), { input: { apiVersion: 'v1', kind: 'List', items: objects('good') } });
    await settled();
    good = (await here.capture(['--no-checks', '--as', 'good'])).id;
  });
  afterAll(async () => {
    await here.remove();
    await rm(tools, { recursive: true, force: true });
  });

  it('cannot get a changed ConfigMap back by kubectl rollout undo', async () => {
    await kubectl(in_('apply', '-f', '-'), { input: { apiVersion: 'v1', kind: 'List', items: objects('bad') } });
    await settled();
    expect(await here.envOf('echo', 'GREETING')).toBe('what the bad release says');
    await kubectl(in_('rollout', 'undo', 'deployment/echo'));
    await settled();
    // The pods are those of the good release, and read what the bad one left.
    expect(await here.envOf('echo', 'RELEASE')).toBe('good');
    expect(await here.envOf('echo', 'GREETING')).toBe('what the bad release says');
    expect(await here.envOf('echo', 'PASSWORD')).toBe(VALUES['the new password']);
    await kubectl(in_('apply', '-f', '-'), { input: { apiVersion: 'v1', kind: 'List', items: objects('bad') } });
  });

  it('is changed by other managers in every way that they have', async () => {
    const { namespace } = here;
    await kubectl(in_('set', 'env', 'deployment/echo', 'ADDED=by-set-env', 'RELEASE=bad-2'));
    await kubectl(in_('set', 'resources', 'deployment/echo', '--limits=memory=64Mi'));
    await kubectl(
      in_(
        'patch',
        'deployment',
        'echo',
        '--type=strategic',
        '-p',
        JSON.stringify({
          spec: {
            template: {
              spec: {
                containers: [{ name: 'extra', image: 'backstay/echo:v3', env: [{ name: 'PORT', value: '8081' }] }],
              },
            },
          },
        }),
      ),
    );
    await kubectl(in_('patch', 'deployment', 'echo', '--type=merge', '-p', '{"spec":{"minReadySeconds":1}}'));
    await kubectl(in_('scale', 'deployment/echo', '--replicas=2'));
    await kubectl(in_('annotate', 'deployment/echo', 'configmap/echo-config', 'service/echo', 'who=annotate'));
    await kubectl(in_('label', 'deployment/echo', 'configmap/echo-config', 'secret/echo-secret', 'who=label'));
    await kubectl(in_('edit', 'service/echo'), {
      env: { KUBE_EDITOR: "sed -i 's/sessionAffinity: None/sessionAffinity: ClientIP/'" },
    });
    await kubectl(in_('apply', '--server-side', '--force-conflicts', '--field-manager=gitops', '-f', '-'), {
      input: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'echo-config', namespace, labels: { gitops: 'yes' }, finalizers: ['example.com/stay'] },
        data: { GREETING: 'gitops', EXTRA: 'key' },
      },
    });
    await kubectl(in_('apply', '--server-side', '--field-manager=gitops', '-f', '-'), {
      input: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'echo', namespace },
        spec: { template: { metadata: { annotations: { injected: 'yes' } } } },
      },
    });
    await kubectl(in_('create', 'configmap', 'left-behind', '--from-literal=a=b'));
    await kubectl(in_('create', 'service', 'clusterip', 'left-behind', '--tcp=80:80'));
    await settled();
    expect(await here.envOf('echo', 'ADDED')).toBe('by-set-env');
    expect(await here.envOf('echo', 'GREETING')).toBe('gitops');
  });

  it('shows all of it before anything is done, and replicas only when they are asked for', async () => {
    const diff = async (...more: string[]): Promise<string> =>
      (await here.machine.ok(['diff', here.name, '--to', 'good', ...more])).stdout;
    const shown = await diff();
    for (const part of [
      'ADDED',
      'containers[name=extra]',
      'annotations.injected',
      'annotations.who',
      'labels.who',
      'labels.gitops',
      'example.com/stay',
      'data.EXTRA',
      'sessionAffinity',
      'minReadySeconds',
      'configmap/left-behind',
      'service/left-behind',
      'takes over the fields of',
      'data.PASSWORD: secret value changed',
    ])
      expect(shown).toContain(part);
    expect(shown).not.toContain('spec.replicas');
    expect(await diff('--exact-replicas')).toContain('spec.replicas: 2 → 1');
  });

  it('takes nothing from another controller unasked, and changes nothing when it refuses', async () => {
    const versions = await here.versions();
    const refused = await here.machine.refused(['rollback', here.name, '--to', 'good', '--yes']);
    expect(refused).toMatchObject({ exit: 7, code: 'OBJECT_CONFLICT' });
    expect(refused.message).toContain('gitops');
    expect(refused.next).toContain('--take gitops');
    expect(await here.versions()).toEqual(versions);
  });

  it('is byte for byte what it was after one rollback, with processes that read the old values', async () => {
    answer = await here.rollback(['--to', 'good', '--exact-replicas', '--take', 'gitops']);
    expect(answer.outcome).toBe('succeeded');
    const { id, isNew } = await here.capture();
    expect({ id, isNew }).toEqual({ id: good, isNew: false });
    expect(await here.envOf('echo', 'GREETING')).toBe(MARK);
    expect(await here.envOf('echo', 'PASSWORD')).toBe(VALUES['the old password']);
    expect(await here.envOf('echo', 'RELEASE')).toBe('good');
    expect(await here.envOf('echo', 'ADDED')).toBeUndefined();
    const { metadata, spec } = await here.get('Deployment', 'echo');
    const { template, replicas } = spec as {
      replicas: number;
      template: { spec: { containers: { name: string }[] }; metadata: { annotations?: object } };
    };
    expect(replicas).toBe(1);
    expect(template.spec.containers.map(({ name }) => name)).toEqual(['echo']);
    expect(metadata.labels).not.toHaveProperty('who');
    const config = await here.get('ConfigMap', 'echo-config');
    expect(config.metadata.finalizers ?? []).toEqual([]);
    expect(Object.keys(config['data'] as object)).toEqual(['GREETING', 'app.yaml']);
  });

  it('finds nothing more to do afterwards', async () => {
    const again = await here.machine.json<{ outcome: string }>(['rollback', here.name, '--to', 'good', '--yes']);
    expect(again.outcome).toBe('nothing-to-do');
    const { code } = await here.machine.run(['diff', here.name, '--to', 'good', '--detailed-exitcode']);
    expect(code).toBe(0);
  });

  it('goes back to the bad release, byte for byte, when the rollback is undone', async () => {
    const report = JSON.parse(await readFile(answer.report?.json ?? '', 'utf8')) as { snapshots: { before: string } };
    before = report.snapshots.before;
    expect(before).not.toBe(good);
    const undone = await here.rollback(['--to', before]);
    expect(undone.outcome).toBe('succeeded');
    expect((await here.capture()).id).toBe(before);
    expect(await here.envOf('echo', 'ADDED')).toBe('by-set-env');
    expect(await here.envOf('echo', 'GREETING')).toBe('gitops');
    expect(await here.envOf('echo', 'PASSWORD')).toBe(VALUES['the new password']);
    expect((await here.get('ConfigMap', 'left-behind'))['data']).toEqual({ a: 'b' });
  });

  it('leaves no secret in any file, in no line that it said, and in no argument of Pulumi', async () => {
    const { dir, transcript, stateDir } = here.machine;
    // A control: the search sees what is really written, in files and in base64.
    const controls = await findInFiles(dir, { mark: MARK });
    expect(controls.some((hit) => hit.startsWith(here.machine.snapshotsDir))).toBe(true);
    expect(controls.some((hit) => hit.startsWith(stateDir))).toBe(true);
    const wrapped = Buffer.from(
      JSON.stringify({ a: Buffer.from(`xx${VALUES['the old password']}yy`).toString('base64') }),
    );
    expect(findIn(wrapped, VALUES)).toEqual(expect.arrayContaining(['the old password in base64 at 2']));

    expect((await filesBelow(dir)).length).toBeGreaterThan(10);
    expect(await findInFiles(dir, VALUES)).toEqual([]);
    expect(await findInFiles(join((await testSandbox()).dir, 'logs'), VALUES)).toEqual([]);
    expect(findIn(Buffer.from(transcript.join('\n')), VALUES)).toEqual([]);
    const told = await readFile(join(tools, 'arguments'));
    expect(told.toString()).toContain('\nup\n');
    expect(findIn(told, VALUES)).toEqual([]);
    for (const value of Object.values(VALUES))
      expect([...disguises(value).values()].every((text) => text.length > 20)).toBe(true);
  });
});
