import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject, Plan } from '../../src/model/index.ts';
import type { Cluster } from '../../src/ports/index.ts';
import type { RunReport } from '../../src/rollback/index.ts';
import { findAlembic } from '../../src/toolchain/alembic.ts';
import { type Machine, machine, PROJECT } from '../support/backstay.ts';
import { testCluster } from '../support/cluster.ts';
import { API_VERSIONS } from '../support/digests.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import type { CaptureAnswer, RunAnswer } from '../support/shop.ts';

const STACK = 'summit';
const NAMESPACE = 'summit-production';

/** Summit's runbook: one flag alone, and the three ways a database may go with a rollback. */
describe('Summit', { timeout: 240_000 }, () => {
  let here: Machine;
  let cluster: Cluster;
  let kubectl: Kubectl;

  const rollback = async (...args: string[]): Promise<RunAnswer> =>
    await here.json<RunAnswer>(['rollback', STACK, '--yes', '--reason', 'errors above 10 %', ...args]);
  const report = async ({ run }: RunAnswer): Promise<RunReport> => await here.json<RunReport>(['report', run]);
  const get = async (kind: string, name: string): Promise<KubeObject | undefined> =>
    await cluster.get({ apiVersion: API_VERSIONS[kind] ?? 'v1', kind, namespace: NAMESPACE, name });
  const ask = async (path: string, method = 'GET', body?: object): Promise<Record<string, unknown>> => {
    const { status, body: text } = await cluster.proxy({
      namespace: NAMESPACE,
      service: 'intelgraph-server',
      port: 80,
      method,
      path,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { http: status, ...(text.startsWith('{') ? (JSON.parse(text) as object) : {}) };
  };
  const data = async (): Promise<Record<string, unknown>> => await ask('/health/database');
  const serverImage = async (): Promise<string> =>
    (await kubectl(['-n', NAMESPACE, 'get', 'deployment', 'intelgraph-server', '-o', 'jsonpath={..image}'])).trim();
  /** A release as a pipeline makes it. */
  const release = async (tag: string): Promise<void> => {
    const image = `intelgraph-server=intelgraph-server:${tag}`;
    await kubectl(['-n', NAMESPACE, 'set', 'image', 'deployment/intelgraph-server', image]);
    await kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/intelgraph-server', '--timeout=120s']);
  };

  beforeAll(async () => {
    await findAlembic();
    const test = await testCluster();
    ({ cluster } = test);
    kubectl = await kubectlFor(test.kubeconfig);
    here = await machine({ projectDir: PROJECT, env: { KUBECONFIG: test.kubeconfig } });
    await kubectl(['create', 'namespace', NAMESPACE]);
    await here.ok(['keys', 'init', STACK]);
  }, 300_000);
  afterAll(async () => {
    await kubectl(['delete', 'namespace', NAMESPACE, '--wait=false']);
    await here.remove();
  });

  it('comes up from plain manifests, and its snapshot knows the revision of its schema', async () => {
    await here.ok(['import-manifests', STACK, 'examples/summit/v4.0.4', '--as', 'manifests']);
    const set = ['apply', STACK, '--to', 'manifests', '--yes', '--reason', 'set-up'];
    await here.ok([...set, '--scope', 'database']);
    await here.ok(set);
    const captured = await here.json<CaptureAnswer>(['capture', STACK, '--as', 'v4.0.4']);
    expect(captured.knownGood).toBe(true);
    const shown = await here.ok(['show', STACK, 'v4.0.4', '--output', 'json']);
    expect(shown.stdout).toContain('0001_entities');
  });

  it('S9: turns one flag off, and nothing beside it', async () => {
    const image = 'intelgraph-ui=intelgraph-ui:v4.0.5';
    await kubectl(['-n', NAMESPACE, 'set', 'image', 'deployment/intelgraph-ui', image]);
    await kubectl(['-n', NAMESPACE, 'patch', 'configmap', 'feature-flags', '-p', '{"data":{"NEW_UI":"true"}}']);
    await kubectl(['-n', NAMESPACE, 'rollout', 'restart', 'deployment/intelgraph-ui']);
    await kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/intelgraph-ui', '--timeout=60s']);
    const page = async (): Promise<number> =>
      (await cluster.proxy({ namespace: NAMESPACE, service: 'intelgraph-ui', port: 80, method: 'GET', path: '/' }))
        .status;
    expect(await page()).toBe(500);
    const told = await report(await rollback('--to', 'v4.0.4', '--scope', 'flags'));
    expect(told.outcome).toBe('succeeded');
    expect(told.checks.after.find(({ name }) => name === 'page')?.verdict).toBe('pass');
    expect(await page()).toBe(200);
    const ui = JSON.stringify((await get('Deployment', 'intelgraph-ui'))?.['spec']);
    expect(ui).toContain('intelgraph-ui:v4.0.5');
    // Optionally the one service's image, too.
    expect((await rollback('--to', 'v4.0.4', '--scope', 'intelgraph-ui')).outcome).toBe('succeeded');
    expect(JSON.stringify((await get('Deployment', 'intelgraph-ui'))?.['spec'])).toContain('intelgraph-ui:v4.0.4');
  });

  it('S4, scenario A: an addition stays, and the old application is proven to work with it', async () => {
    await release('v4.0.5');
    expect(await data()).toMatchObject({ revision: '0002_confidence' });
    const plan = await here.json<Plan>(['rollback', STACK, '--to', 'v4.0.4', '--dry-run']);
    expect(plan.scenarios).toMatchObject([{ store: 'postgres', scenario: 'A' }]);
    expect(plan.steps.filter(({ title }) => title.startsWith('Migrate'))).toEqual([]);
    const told = await report(await rollback('--to', 'v4.0.4', '--severity', 'SEV-1'));
    expect(told.outcome).toBe('succeeded');
    expect(told.checks.after.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(await serverImage()).toBe('intelgraph-server:v4.0.4');
    expect(await data()).toMatchObject({ http: 200, revision: '0002_confidence', loose: 0 });
    expect((await ask('/api/entities', 'POST', { title: 'Quay 4', kind: 'place' }))['http']).toBe(201);
  });

  it('S5, scenario B: closed for maintenance, backed up, migrated down inside the failing version, opened again', async () => {
    await release('v4.1.0');
    const before = await data();
    expect(before).toMatchObject({ http: 200, revision: '0003_labels' });
    // What the way down would lose is told by a rehearsal on a copy, and has to be accepted.
    const refused = await here.refused(['rollback', STACK, '--to', 'v4.0.4', '--yes', '--reason', 'labels']);
    expect(refused).toMatchObject({ exit: 7, code: 'DATA_LOSS_UNACCEPTED' });
    expect(await data()).toEqual(before);
    const [, digest = ''] = /--accept-data-loss ([0-9a-f]+)/.exec(refused.stderr) ?? [];

    const told = await report(await rollback('--to', 'v4.0.4', '--accept-data-loss', digest));
    expect(told.outcome).toBe('succeeded');
    const order = told.steps.filter(({ status }) => status === 'done').map(({ title }) => title);
    const place = (start: string): number => order.findIndex((title) => title.startsWith(start));
    expect(place('Back postgres up')).toBeGreaterThan(0);
    expect(place('Turn maintenance mode on')).toBeGreaterThan(place('Back postgres up'));
    expect(place('Migrate postgres down')).toBeGreaterThan(place('Turn maintenance mode on'));
    expect(place('Update')).toBeGreaterThan(place('Migrate postgres down'));
    expect(place('Turn maintenance mode off')).toBeGreaterThan(place('Update'));
    expect(await serverImage()).toBe('intelgraph-server:v4.0.4');
    expect(await data()).toMatchObject({ http: 200, revision: '0001_entities', entities: before['entities'] });
    expect((await ask('/health/open'))['http']).toBe(200);
    expect((await here.json<CaptureAnswer>(['capture', STACK])).knownGood).toBe(true);
  });

  it('S6, scenario C: data that a release damaged comes back with its application, in one command', async () => {
    await here.ok(['db', 'backup', STACK]);
    await release('v4.1.1');
    expect(await data()).toMatchObject({ http: 503, status: 'damaged', relations: 0 });
    const plan = await here.json<Plan>(['rollback', STACK, '--to', 'v4.0.4', '--dry-run']);
    expect(plan.scenarios).toMatchObject([{ store: 'postgres', scenario: 'C' }]);
    const told = await report(await rollback('--to', 'v4.0.4'));
    expect(told.outcome).toBe('succeeded');
    const order = told.steps.filter(({ status }) => status === 'done').map(({ title }) => title);
    const wanted = ['Turn maintenance mode on', 'Stop deployment', 'Exchange postgres', 'Update', 'Bring deployment'];
    const places = wanted.map((start) => order.findIndex((title) => title.startsWith(start)));
    expect(places[0]).toBeGreaterThan(0);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(await data()).toMatchObject({
      http: 200,
      status: 'ok',
      revision: '0001_entities',
      relations: 3,
    });
    expect((await get('Deployment', 'intelgraph-server'))?.['spec']).toMatchObject({ replicas: 3 });
  });
});
