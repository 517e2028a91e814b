import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckResult, KubeObject } from '../../src/model/index.ts';
import type { Cluster } from '../../src/ports/index.ts';
import type { RunReport } from '../../src/rollback/index.ts';
import type { SandboxInfo } from '../../src/sandbox/contract.ts';
import { type Machine, machine, PROJECT } from '../support/backstay.ts';
import { testCluster } from '../support/cluster.ts';
import { API_VERSIONS } from '../support/digests.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import type { CaptureAnswer, RunAnswer } from '../support/shop.ts';

const STACK = 'paperless';
const NAMESPACE = 'paperless-maverick';

/** Paperless Maverick's runbook, row by row, in the order in which a bad release goes. */
describe('Paperless Maverick', { timeout: 180_000 }, () => {
  let here: Machine;
  let cluster: Cluster;
  let sandbox: SandboxInfo;
  let kubectl: Kubectl;

  const rollback = async (...args: string[]): Promise<RunAnswer> =>
    await here.json<RunAnswer>(['rollback', STACK, '--yes', '--reason', 'regression in v1.2.3', ...args]);
  const report = async ({ run }: RunAnswer): Promise<RunReport> => await here.json<RunReport>(['report', run]);
  const get = async (kind: string, name: string): Promise<KubeObject | undefined> =>
    await cluster.get({ apiVersion: API_VERSIONS[kind] ?? 'v1', kind, namespace: NAMESPACE, name });
  const imageOf = async (deployment: string): Promise<string> =>
    (await kubectl(['-n', NAMESPACE, 'get', 'deployment', deployment, '-o', 'jsonpath={..image}'])).trim();
  /** A request through the Ingress, as users make it. */
  const ask = async (path: string, body?: object): Promise<{ status: number; json: Record<string, unknown> }> =>
    await new Promise((resolve, reject) => {
      const [hostname, port] = sandbox.ingress.split(':');
      const headers = { host: 'api.paperless.example' };
      const method = body === undefined ? 'GET' : 'POST';
      const asked = request({ hostname, port, path, method, headers }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => {
          const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
          resolve({ status: response.statusCode ?? 0, json });
        });
      });
      asked.once('error', reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const data = async (): Promise<Record<string, unknown>> => (await ask('/health/database')).json;
  const release = async (version: string, ...args: string[]): Promise<void> => {
    await here.ok(['apply', STACK, '--to', version, '--yes', '--reason', `release ${version}`, ...args]);
  };

  beforeAll(async () => {
    const test = await testCluster();
    ({ cluster, sandbox } = test);
    kubectl = await kubectlFor(test.kubeconfig);
    here = await machine({ projectDir: PROJECT, env: { KUBECONFIG: test.kubeconfig } });
    for (const namespace of [NAMESPACE, 'database']) await kubectl(['create', 'namespace', namespace]);
    await here.ok(['keys', 'init', STACK]);
    for (const version of ['v1.2.2', 'v1.2.3'])
      await here.ok(['import-manifests', STACK, `examples/paperless/${version}`, '--as', `${version}-manifests`]);
  }, 180_000);
  afterAll(async () => {
    await kubectl(['delete', 'namespace', NAMESPACE, 'database', '--wait=false']);
    await here.remove();
  });

  it('comes up from plain manifests: the database first, then the application and its workers', async () => {
    await release('v1.2.2-manifests', '--scope', 'database');
    await release('v1.2.2-manifests');
    await expect.poll(data, { timeout: 60_000 }).toMatchObject({ embeddings: 4, queued: 0 });
    const captured = await here.json<CaptureAnswer>(['capture', STACK, '--as', 'v1.2.2']);
    expect(captured.knownGood).toBe(true);
  });

  it('P6: asks the four addresses of health, the speed of twenty requests, and its functional test', async () => {
    const { code, stdout } = await here.run(['check', STACK, '--output', 'json']);
    const { items } = JSON.parse(stdout) as { items: CheckResult[] };
    expect(items.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(items.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['live', 'ready', 'database', 'metrics', 'speed-of-health', 'speed-of-receipts']),
    );
    expect(code).toBe(0);
  });

  it('P3: takes the workers alone, and the application alone', async () => {
    const set = async (name: string, tag: string): Promise<void> => {
      await kubectl(['-n', NAMESPACE, 'set', 'image', `deployment/${name}`, `${name}=${name}:${tag}`]);
    };
    await set('embedding-queue-workers', 'v1.2.4');
    await kubectl(['-n', NAMESPACE, 'set', 'env', 'deployment/paperless-maverick', 'DEBUG=all']);
    expect((await rollback('--to', 'v1.2.2', '--scope', 'workers')).outcome).toBe('succeeded');
    expect(await imageOf('embedding-queue-workers')).toBe('embedding-queue-workers:v1.2.2');
    expect(JSON.stringify((await get('Deployment', NAMESPACE))?.['spec'])).toContain('DEBUG');
    await set('embedding-queue-workers', 'v1.2.4');
    expect((await rollback('--to', 'v1.2.2', '--scope', 'application')).outcome).toBe('succeeded');
    expect(await imageOf('embedding-queue-workers')).toBe('embedding-queue-workers:v1.2.4');
    expect(JSON.stringify((await get('Deployment', NAMESPACE))?.['spec'])).not.toContain('DEBUG');
    expect((await rollback('--to', 'v1.2.2', '--scope', 'workers')).outcome).toBe('succeeded');
  });

  it('P2: goes back the standard way, with a check before and after and a functional test in between', async () => {
    await kubectl(['-n', NAMESPACE, 'set', 'env', 'deployment/paperless-maverick', 'DEBUG=all']);
    // The check before is to find the bad release, not the moment between two.
    await kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/paperless-maverick', '--timeout=120s']);
    const standard = ['--target-version', 'v1.2.2', '--validate-before', '--validate-after', '--create-backup'];
    const told = await report(await rollback(...standard));
    expect(told.outcome).toBe('succeeded');
    expect(told.checks.before).toMatchObject([{ name: 'live', verdict: 'pass' }]);
    expect(told.checks.after.every(({ verdict }) => verdict === 'pass')).toBe(true);
    expect(told.steps.find(({ title }) => title.startsWith('core-functionality'))?.status).toBe('done');
  });

  it('P4: a release renames a column, and one command takes application and schema back, by the scripts that lead down', async () => {
    await release('v1.2.3-manifests');
    expect(await data()).toMatchObject({ schema: '20250121083000' });
    expect((await ask('/api/receipts', { seller: 'Railway Kiosk', total: 3.2 })).status).toBe(201);
    await expect.poll(data, { timeout: 30_000 }).toMatchObject({ queued: 0 });
    const before = await data();

    // The application alone would not be well over the newer schema, and the plan says so.
    const alone = await here.ok(['rollback', STACK, '--to', 'v1.2.2', '--scope', 'application', '--dry-run']);
    expect(alone.stdout + alone.stderr).toContain('20250121083000');

    // Rehearsed on a copy first: what the way down would lose has to be accepted by its digest.
    const refused = await here.refused(['rollback', STACK, '--to', 'v1.2.2', '--yes', '--reason', 'slow search']);
    expect(refused).toMatchObject({ exit: 7, code: 'DATA_LOSS_UNACCEPTED', outcome: 'failed' });
    expect(refused.stderr).toContain('public.receipts.category (2 values)');
    expect(await data()).toEqual(before);
    const [, digest = ''] = /--accept-data-loss ([0-9a-f]+)/.exec(refused.stderr) ?? [];

    const told = await report(await rollback('--to', 'v1.2.2', '--validate-before', '--accept-data-loss', digest));
    expect(told.outcome).toBe('succeeded');
    expect(told.checks.before.map(({ verdict }) => verdict)).toEqual(['pass']);
    expect(told.checks.after.every(({ verdict }) => verdict === 'pass')).toBe(true);
    // Every receipt is still there, that of the bad release too.
    expect(await data()).toMatchObject({ status: 'ok', schema: '20250120120000', receipts: before['receipts'] });
    expect(await imageOf('paperless-maverick')).toBe('paperless-maverick:v1.2.2');
    expect((await here.json<CaptureAnswer>(['capture', STACK])).knownGood).toBe(true);
  });

  it('P8: brings everything back from one moment, objects and data, after both were lost', async () => {
    const taken = await here.json<RunAnswer>(['db', 'backup', STACK, '--all', '--yes', '--reason', 'one moment']);
    expect(taken.outcome).toBe('succeeded');
    await expect.poll(data, { timeout: 60_000 }).toMatchObject({ queued: 0 });
    const before = await data();
    await here.ok(['capture', STACK, '--no-checks', '--as', 'whole']);
    expect((await ask('/api/receipts', { seller: 'Written afterwards', total: 1 })).status).toBe(201);
    const lost = ['deployment/paperless-maverick', 'deployment/embedding-queue-workers', 'ingress/paperless-maverick'];
    await kubectl(['-n', NAMESPACE, 'delete', ...lost, 'configmap/paperless-maverick-config']);

    const told = await report(await rollback('--to', 'whole', '--restore-all', `set-${taken.run}`));
    expect(told.outcome).toBe('succeeded');
    expect(told.checks.after.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(await data()).toEqual(before);
    const { spec } = (await get('Deployment', NAMESPACE)) as unknown as { spec: { replicas: number } };
    expect(spec.replicas).toBe(3);
  });

  it('P5: takes a data migration back, keeps the receipts that were written since, and tells what it set aside', async () => {
    const setBoth = async (tag: string): Promise<void> => {
      for (const name of ['paperless-maverick', 'embedding-queue-workers']) {
        await kubectl(['-n', NAMESPACE, 'set', 'image', `deployment/${name}`, `${name}=${name}:${tag}`]);
        await kubectl(['-n', NAMESPACE, 'rollout', 'status', `deployment/${name}`, '--timeout=120s']);
      }
    };
    await setBoth('v1.2.3');
    await expect.poll(data, { timeout: 60_000 }).toMatchObject({ status: 'ok', queued: 0 });
    const good = await data();
    expect(good).toMatchObject({ schema: '20250121083000' });
    await here.ok(['db', 'backup', STACK]);
    await setBoth('v1.2.4');
    expect((await ask('/api/receipts', { seller: 'Night Ferry', total: 40 })).status).toBe(201);
    await setBoth('v1.2.3');
    await expect.poll(data, { timeout: 60_000 }).toMatchObject({ status: 'damaged', queued: 0 });

    const restore = ['db', 'restore', STACK, 'latest', '--preserve-new-data', '--reason', 'embedding_enhancement_v2'];
    const shown = await here.ok([...restore, '--dry-run']);
    expect(shown.stdout).toContain('receipts');
    const done = await here.json<RunAnswer>([...restore, '--yes']);
    expect(done.outcome).toBe('succeeded');
    const after = await data();
    expect(after).toMatchObject({ schema: '20250121083000', receipts: Number(good['receipts']) + 1 });
    const { receipts } = (await ask('/api/receipts')).json as { receipts: readonly { seller: string }[] };
    expect(receipts.map(({ seller }) => seller)).toContain('Night Ferry');
    expect(JSON.stringify(await report(done))).toContain('quarantine__bs_');
  });
});
