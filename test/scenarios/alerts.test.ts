import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject, Proposal } from '../../src/model/index.ts';
import { type Alerting, alerting } from '../support/alerting.ts';
import { PROJECT, type Running } from '../support/backstay.ts';
import { testSandbox } from '../support/cluster.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { echo, type Shop, serviceOf, shop } from '../support/shop.ts';

/** What the pod is started with; its route is what Prometheus scrapes, and fails when the value is not there. */
const GOOD = { SHOP_METRICS: 'shop_orders_total 7\n' };
const QUIET = '1h';
/** Longer than everything takes on a busy machine; nothing waits for it to pass. */
const PATIENCE_MS = 120_000;

/** From Prometheus' scrape to the validated rollback with nobody touching anything: all of it real. */
describe('a service that breaks', () => {
  let here: Shop;
  let kubectl: Kubectl;
  let service: Running;
  let url: string;
  let token: string;
  let alerts: Alerting;
  let folder: string;
  let told: Told;

  const config = (): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'api', namespace: here.namespace },
    data: { MODE: 'shop', ...GOOD },
  });
  const apply = async (...items: readonly KubeObject[]): Promise<void> => {
    const input = { apiVersion: 'v1', kind: 'List', items };
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input });
  };
  /** As a bad change does: the value is taken away, whoever owns it, and the pods are started without it. */
  const spoil = async (): Promise<void> => {
    const patch = '[{"op":"remove","path":"/data/SHOP_METRICS"}]';
    await kubectl(['-n', here.namespace, 'patch', 'configmap', 'api', '--type=json', '-p', patch]);
    await kubectl(['-n', here.namespace, 'rollout', 'restart', 'deployment/api']);
  };
  const get = async <T>(path: string): Promise<T> => {
    const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    if (answer.status !== 200) throw new TypeError(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  const proposals = async (): Promise<readonly Proposal[]> =>
    (await get<{ items: readonly Proposal[] }>(`/v1/proposals?stack=${here.name}`)).items;
  const until = async <T>(look: () => Promise<T | undefined>): Promise<T> => {
    for (const end = Date.now() + PATIENCE_MS; ; ) {
      const found = await look();
      if (found !== undefined) return found;
      if (Date.now() > end) throw new TypeError(`it did not come about: ${JSON.stringify(await proposals())}`);
      await delay(200);
    }
  };

  beforeAll(async () => {
    const { kubeconfig } = await testSandbox();
    kubectl = await kubectlFor(kubeconfig);
    folder = await mkdtemp(join(tmpdir(), 'backstay-alerts-'));
    await writeFile(join(folder, 'secret'), SECRET, { mode: 0o600 });
    told = await listener();
    here = await shop(
      'alerts',
      `  backstay:triggers: { mode: automatic, settle: 1s, quiet: ${QUIET} }
  backstay:notifications:
    channels: [{ name: audit, kind: webhook, url: '${told.url}', secret: { file: '${join(folder, 'secret')}' } }]
  backstay:checks:
    - name: metrics
      kind: http
      when: [capture, after]
      target: { url: /env/SHOP_METRICS, via: { service: api, port: 80 } }
`,
    );
    await apply(config(), echo(here.namespace, 'api', { reads: ['api'] }), serviceOf(here.namespace, 'api'));
    await kubectl(['-n', here.namespace, 'rollout', 'status', 'deployment/api', '--timeout=120s']);
    const { knownGood } = await here.capture([]);
    if (!knownGood) throw new TypeError('what there is to go back to is not known good');
    ({ token } = await here.machine.json<{ token: string }>([
      'token',
      'create',
      'alertmanager',
      '--role',
      'operator',
      '--stack',
      here.name,
    ]));
    service = here.machine.start(['serve', '--listen', '127.0.0.1:0', '--output', 'json']);
    url = await new Promise<string>((resolve, reject) => {
      service.child.stdout?.on('data', (chunk: Buffer) =>
        resolve((JSON.parse(chunk.toString()) as { url: string }).url.replace(/\/$/, '')),
      );
      void service.ended.then(({ stderr }) => reject(new TypeError(stderr)));
    });
    const shipped = await readFile(join(PROJECT, 'deploy', 'prometheus', 'rules.yaml'), 'utf8');
    alerts = await alerting({
      kubeconfig,
      scrape: { namespace: here.namespace, service: 'api', path: '/env/SHOP_METRICS', stack: here.name },
      // As they are shipped, but quicker.
      rules: shipped.replaceAll(/for: \d+[mh]/g, 'for: 1s'),
      webhook: { url: `${url}/v1/triggers/alertmanager`, token },
    });
  }, 300_000);
  afterAll(async () => {
    await alerts?.[Symbol.asyncDispose]();
    service?.child.kill('SIGTERM');
    await service?.ended;
    await here?.remove();
    await told?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  it('is taken back, validated and held with nobody touching anything', { timeout: 300_000 }, async () => {
    await spoil();
    const { run, ...proposal } = await until(async () => {
      const [newest] = await proposals();
      return newest?.state === 'started' ? newest : undefined;
    });
    expect(proposal).toMatchObject({ mode: 'automatic', alerts: [{ name: 'ServiceDown', source: 'alertmanager' }] });
    expect(proposal.by).toBeUndefined();
    const watched = await here.machine.run(['watch', run ?? '']);
    expect({ code: watched.code, stderr: watched.stderr }).toMatchObject({ code: 0 });
    expect(await here.envOf('api', 'SHOP_METRICS')).toBe(GOOD.SHOP_METRICS);
    const { items } = await here.machine.json<{ items: readonly Readonly<Record<string, unknown>>[] }>([
      'history',
      here.name,
    ]);
    expect(items).toEqual([expect.objectContaining({ run, trigger: 'alert', outcome: 'succeeded' })]);
    const { items: snapshots } = await here.machine.json<{
      items: readonly { readonly held?: { readonly run: string } }[];
    }>(['list', here.name]);
    expect(snapshots.filter(({ held }) => held?.run === run)).toHaveLength(1);
    const notices = await until(async () => {
      const of = told.notices.filter(({ data }) => data.run === run);
      return of.some(({ type }) => type === 'dev.backstay.run.ended') ? of : undefined;
    });
    expect(notices.map(({ type }) => type)).toEqual(['dev.backstay.run.started', 'dev.backstay.run.ended']);
    expect(notices[1]?.data).toMatchObject({ stack: here.name, values: { outcome: 'succeeded', trigger: 'alert' } });
    const report = await here.machine.ok(['report', run ?? '']);
    expect(report.stdout).toContain(run);
  });

  it('is not taken back a second time, however Alertmanager repeats and flaps', { timeout: 300_000 }, async () => {
    const before = await alerts.sent();
    const labels = { alertname: 'Flapping', stack: here.name, rollback_trigger: 'true' };
    for (let round = 1; round <= 4; round += 1) {
      const [now, later] = [new Date(), new Date(Date.now() + 60_000)];
      await alerts.fire(labels, now, later);
      const fired = (await alerts.sent()).all;
      // Told, and told again.
      await until(async () => ((await alerts.sent()).all > fired + 1 ? true : undefined));
      await alerts.fire(labels, now, new Date());
      const ended = (await alerts.sent()).all;
      await until(async () => ((await alerts.sent()).all > ended ? true : undefined));
    }
    const after = await alerts.sent();
    expect(after.all).toBeGreaterThan(before.all + 8);
    expect(after.failed).toBe(0);
    expect(await proposals()).toHaveLength(1);
    expect((await here.machine.json<{ items: readonly unknown[] }>(['history', here.name])).items).toHaveLength(1);
  });

  it("is a person's decision when it breaks again, and taken back when one says so", { timeout: 300_000 }, async () => {
    // Changed while the service is at work: the next alert is no longer in a quiet time.
    const file = join(here.machine.projectDir, 'stacks', `Pulumi.${here.name}.yaml`);
    await writeFile(file, (await readFile(file, 'utf8')).replace(`quiet: ${QUIET}`, 'quiet: 1ms'));
    const [first] = await proposals();
    await spoil();
    const open = await until(async () => (await proposals()).find(({ state }) => state === 'open'));
    expect(open.because).toContain(`the last change was run ${first?.run}, a rollback started by alert`);
    const { planDetail } = await get<{ planDetail: { hash: string } }>(`/v1/proposals/${open.id}`);
    expect(planDetail.hash).toBe(open.plan);
    const answer = await fetch(`${url}/v1/proposals/${open.id}/accept`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'it is the same fault' }),
    });
    expect(answer.status).toBe(202);
    const { run } = (await answer.json()) as { run: string };
    expect(answer.headers.get('location')).toBe(`/v1/runs/${run}`);
    const watched = await here.machine.run(['watch', run]);
    expect({ code: watched.code, stderr: watched.stderr }).toMatchObject({ code: 0 });
    expect(await here.envOf('api', 'SHOP_METRICS')).toBe(GOOD.SHOP_METRICS);
    const { items } = await here.machine.json<{ items: readonly unknown[] }>(['history', here.name]);
    expect(items[0]).toMatchObject({ run, trigger: 'person', outcome: 'succeeded' });
    expect(items).toHaveLength(2);
  });
});

const SECRET = 'a secret that signs what is told';

interface Told {
  readonly url: string;
  readonly notices: readonly {
    readonly type: string;
    readonly data: { readonly run?: string; readonly [name: string]: unknown };
  }[];
  close(): Promise<void>;
}

/** Takes what is signed as it should be, and keeps it in the order in which it came. */
async function listener(): Promise<Told> {
  const notices: Told['notices'][number][] = [];
  const server: Server = createServer((request, response) => {
    void text(request).then((body) => {
      const { 'backstay-timestamp': at, 'backstay-signature': signature } = request.headers;
      const expected = createHmac('sha256', SECRET)
        .update(`${String(at)}.${body}`)
        .digest('hex');
      if (signature === `v1=${expected}`) notices.push(JSON.parse(body) as Told['notices'][number]);
      response.writeHead(signature === `v1=${expected}` ? 204 : 401).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    notices,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
