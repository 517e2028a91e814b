import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/model/index.ts';
import { testSandbox } from '../support/cluster.ts';
import { moved } from '../support/digests.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { echo, type Shop, serviceOf, shop } from '../support/shop.ts';

const SETTINGS = `  backstay:roles:
    workers: [Deployment/queue-*]
    data: [StatefulSet/db, Secret/db-credentials]
  backstay:flags:
    - name: CHECKOUT
      source: { configMap: shared, key: CHECKOUT }
  backstay:checks:
    - name: app
      kind: http
      when: [capture, before, after]
      target: { url: /health, via: { service: app, port: 80 } }
`;

/** Paperless' partial rollbacks (P3) and its flags (P2), on a stack with an application and workers. */
describe('a part of a stack', () => {
  let here: Shop;
  let kubectl: Kubectl;
  let good: string;

  const configMap = (name: string, data: Record<string, string>): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: here.namespace },
    data,
  });
  const objects = (release: 'good' | 'bad'): KubeObject[] => {
    const tag = release === 'good' ? 'v1' : 'v2';
    return [
      configMap('shared', { CHECKOUT: release === 'good' ? 'old' : 'new', THEME: release }),
      configMap('app-config', { APP: release }),
      configMap('queue-config', { QUEUE: release }),
      echo(here.namespace, 'app', { tag, reads: ['shared', 'app-config'] }),
      echo(here.namespace, 'queue-mail', { tag, reads: ['shared', 'queue-config'] }),
      serviceOf(here.namespace, 'app'),
      serviceOf(here.namespace, 'queue-mail'),
    ];
  };
  /** Everything at the bad release again, and at rest. */
  const breakIt = async (): Promise<void> => {
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
      input: { apiVersion: 'v1', kind: 'List', items: objects('bad') },
    });
    for (const name of ['app', 'queue-mail'])
      await kubectl(['-n', here.namespace, 'rollout', 'status', `deployment/${name}`, '--timeout=60s']);
  };
  const tagOf = async (name: string): Promise<string> => {
    const { spec } = await here.get('Deployment', name);
    const { template } = spec as { template: { spec: { containers: { image: string }[] } } };
    return template.spec.containers[0]?.image.split(':')[1] ?? '';
  };
  const dataOf = async (name: string): Promise<unknown> => (await here.get('ConfigMap', name))['data'];
  beforeAll(async () => {
    here = await shop('scopes', SETTINGS);
    kubectl = await kubectlFor((await testSandbox()).kubeconfig);
    await here.import('v1', objects('good'));
    await here.rollback(['--to', 'v1']);
    good = (await here.capture(['--as', 'good'])).id;
    await breakIt();
  });
  afterAll(async () => await here.remove());

  it.each(['with the state of earlier runs', 'with no state at all'])(
    'takes the workers back and leaves everything else alone, %s',
    async (how) => {
      if (how === 'with no state at all') {
        await rm(join(here.machine.stateDir, 'pulumi'), { recursive: true });
        await breakIt();
      }
      const from = await here.versions();
      const answer = await here.rollback(['--to', 'good', '--scope', 'workers']);
      expect(answer.outcome).toBe('succeeded');
      // `shared` and the Service of the application are used by others, and stay.
      expect(moved(from, await here.versions())).toEqual(['ConfigMap/queue-config', 'Deployment/queue-mail']);
      expect(await tagOf('queue-mail')).toBe('v1');
      expect(await tagOf('app')).toBe('v2');
      expect(await dataOf('shared')).toEqual({ CHECKOUT: 'new', THEME: 'bad' });
      expect(await here.envOf('queue-mail', 'QUEUE')).toBe('good');
      expect(await here.envOf('app', 'APP')).toBe('bad');
    },
  );

  it('takes one flag back, restarts who reads it, and leaves the key beside it', async () => {
    const from = await here.versions();
    const args = ['rollback', here.name, '--yes', '--to', 'good', '--scope', 'flags', '--output', 'jsonl'];
    const { stdout } = await here.machine.ok(args);
    // What happens is told line by line for programs, and the last line is the end.
    const told = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; type?: string });
    expect(new Set(told.slice(0, -1).map(({ kind }) => kind))).toEqual(new Set(['RunEvent']));
    expect(told[0]).toMatchObject({ apiVersion: 'backstay.dev/v1', type: 'run.started' });
    expect(told.at(-1)).toMatchObject({ apiVersion: 'backstay.dev/v1', kind: 'Rollback', outcome: 'succeeded' });
    expect(await dataOf('shared')).toEqual({ CHECKOUT: 'old', THEME: 'bad' });
    expect(moved(from, await here.versions())).toEqual(['ConfigMap/shared', 'Deployment/app', 'Deployment/queue-mail']);
    expect(await tagOf('app')).toBe('v2');
    expect(await here.envOf('app', 'CHECKOUT')).toBe('old');
    expect(await here.envOf('app', 'THEME')).toBe('bad');
  });

  it('takes configuration back and restarts who reads it, in the image that it has', async () => {
    const from = await here.versions();
    expect((await here.rollback(['--to', 'good', '--scope', 'config'])).outcome).toBe('succeeded');
    expect(moved(from, await here.versions())).toEqual([
      'ConfigMap/app-config',
      'ConfigMap/shared',
      'Deployment/app',
      'Deployment/queue-mail',
    ]);
    expect(await tagOf('app')).toBe('v2');
    expect(await here.envOf('app', 'APP')).toBe('good');
    expect(await here.envOf('queue-mail', 'THEME')).toBe('good');
  });

  it('takes named workloads back alone', async () => {
    await breakIt();
    const from = await here.versions();
    expect((await here.rollback(['--to', 'good', '--scope', 'app'])).outcome).toBe('succeeded');
    expect(moved(from, await here.versions())).toEqual(['ConfigMap/app-config', 'Deployment/app']);
    expect(await tagOf('app')).toBe('v1');
    expect(await tagOf('queue-mail')).toBe('v2');
    const odd = await here.machine.refused(['diff', here.name, '--to', 'good', '--scope', 'qeue-mail']);
    expect(odd).toMatchObject({ exit: 64, code: 'USAGE' });
    expect(odd.message).toContain('queue-mail');
  });

  it('lists the versions that there are, as Paperless calls them', async () => {
    const { items } = await here.machine.json<{
      items: { kind: string; target: string; images: string[]; knownGood: boolean; ageMs: number; current: boolean }[];
    }>(['rollback', here.name, '--list-versions']);
    expect(items).toContainEqual(
      expect.objectContaining({ kind: 'snapshot', target: 'good', knownGood: true, images: ['backstay/echo:v1'] }),
    );
    const revisions = items.filter(({ kind, target }) => kind === 'revision' && target.startsWith('deployment/app@'));
    expect(revisions.length).toBeGreaterThan(1);
    expect(revisions.filter(({ current }) => current)).toHaveLength(1);
    expect(items.every(({ ageMs }) => ageMs >= 0)).toBe(true);
  });

  it('goes back in a hurry without validation, says so by its exit code, and never calls that known good', async () => {
    await breakIt();
    const args = ['rollback', here.name, '--immediate', '--reason', 'prod is down', '--skip-validation', '--yes'];
    const { code, stdout } = await here.machine.run([...args, '--target-version', 'good', '--output', 'json']);
    expect(code).toBe(8);
    const answer = JSON.parse(stdout) as { run: string; outcome: string };
    expect(answer.outcome).toBe('unvalidated');
    const report = await here.machine.json<{
      snapshots: { after: string };
      checks: { after: unknown[] };
      overrides: string[];
    }>(['report', answer.run]);
    expect(report.checks.after).toEqual([]);
    expect(report.overrides.length).toBeGreaterThan(0);
    expect(report.snapshots.after).toBe(good);
    const { items } = await here.machine.json<{ items: { id: string; reason: string; knownGood: boolean }[] }>([
      'list',
      here.name,
    ]);
    expect(items[0]).toMatchObject({ reason: 'after-run', knownGood: false });
  });

  it('goes back the standard way: validated before and after, with a snapshot of before', async () => {
    await breakIt();
    const answer = await here.rollback([
      '--target-version',
      'good',
      '--validate-before',
      '--validate-after',
      '--create-backup',
      '--reason',
      'standard',
    ]);
    expect(answer.outcome).toBe('succeeded');
    const report = await here.machine.json<{
      reason: string;
      snapshots: { before: string; after: string; held: string };
      checks: { before: { name: string; verdict: string }[]; after: { name: string; verdict: string }[] };
    }>(['report', answer.run]);
    expect(report.reason).toBe('standard');
    expect(report.checks.before).toMatchObject([{ name: 'app', verdict: 'pass' }]);
    expect(report.checks.after).toMatchObject([{ name: 'app', verdict: 'pass' }]);
    expect(report.snapshots).toMatchObject({ after: good, held: report.snapshots.before });
    const { items } = await here.machine.json<{ items: { id: string; held?: object; knownGood: boolean }[] }>([
      'list',
      here.name,
    ]);
    // Its checks passed before the run, and all the same it is what was gone back from.
    const failing = items.filter(({ id }) => id === report.snapshots.before);
    expect(failing.some(({ held }) => held !== undefined)).toBe(true);
    const { id } = await here.machine
      .json<{ id: string }>(['show', here.name, 'known-good'])
      .then((shown) => (shown as unknown as { snapshot: { id: string } }).snapshot);
    expect(id).toBe(good);
  });
});
