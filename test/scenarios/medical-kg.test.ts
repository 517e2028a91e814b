import { request } from 'node:http';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upload } from '../../scripts/demo-users.ts';
import type { CheckResult, KubeObject, ObjectRef, Plan } from '../../src/model/index.ts';
import type { Cluster } from '../../src/ports/index.ts';
import type { RunReport } from '../../src/rollback/index.ts';
import type { SandboxInfo } from '../../src/sandbox/contract.ts';
import { setFaults } from '../../src/sandbox/sandbox.ts';
import { type Machine, machine, PROJECT } from '../support/backstay.ts';
import { testCluster } from '../support/cluster.ts';
import { API_VERSIONS, digestsOf, moved } from '../support/digests.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { type Receivers, receivers } from '../support/receivers.ts';
import type { CaptureAnswer, RunAnswer } from '../support/shop.ts';

const STACK = 'medical-kg';
const NAMESPACE = 'production';
const INCIDENT = 'https://pagerduty.example/incidents/Q1W2E3';
const DATA_STORES = ['Secret/postgres-credentials', 'Service/postgres', 'StatefulSet/postgres'];

/** Both canaries taken and read by one parser. */
const bothBy = (backend: string): unknown[] => [
  { status: 201, backend },
  { status: 201, backend },
];

interface Choice {
  readonly kind: 'snapshot' | 'revision';
  readonly target: string;
  readonly images: readonly string[];
  readonly knownGood: boolean;
  readonly ageMs: number;
  readonly current: boolean;
}

/** Medical_KG's runbook, row by row (M1 to M4 and M12 to M16), in the order in which a bad night goes. */
describe('Medical_KG', { timeout: 180_000 }, () => {
  let here: Machine;
  let people: Receivers;
  let cluster: Cluster;
  let sandbox: SandboxInfo;
  let kubectl: Kubectl;
  let archived: string;

  const look = async (): Promise<Readonly<Record<string, string>>> => await digestsOf(cluster, NAMESPACE);
  const capture = async (...args: string[]): Promise<CaptureAnswer> =>
    await here.json<CaptureAnswer>(['capture', STACK, ...(args.length === 0 ? ['--no-checks'] : args)]);
  const rollback = async (...args: string[]): Promise<RunAnswer> =>
    await here.json<RunAnswer>(['rollback', STACK, '--yes', '--reason', 'Docling is failing', ...args]);
  const report = async ({ run }: RunAnswer): Promise<RunReport> => await here.json<RunReport>(['report', run]);
  const get = async (kind: string, name: string): Promise<KubeObject | undefined> =>
    await cluster.get({ apiVersion: API_VERSIONS[kind] ?? 'v1', kind, namespace: NAMESPACE, name });
  /** A request to a Service from inside, as a status and what it says. */
  const inside = async (service: string, path: string): Promise<{ status: number; body: Record<string, unknown> }> => {
    const { status, body } = await cluster.proxy({ namespace: NAMESPACE, service, port: 80, method: 'GET', path });
    return { status, body: JSON.parse(body) as Record<string, unknown> };
  };
  /** Status of a request from outside, through the Ingress. */
  const outside = async (path: string): Promise<number> =>
    await new Promise((resolve, reject) => {
      const [hostname, port] = sandbox.ingress.split(':');
      const asked = request({ hostname, port, path, headers: { host: 'api.medical-kg.example' } }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asked.once('error', reject);
      asked.end();
    });
  const backendsOf = async (): Promise<unknown[]> => {
    const uploads = await Promise.all([
      upload(sandbox.ingress, 'canary-one.pdf'),
      upload(sandbox.ingress, 'canary-two.pdf'),
    ]);
    return uploads.map(({ status, backend }) => ({ status, backend }));
  };
  const checks = async (): Promise<{ code: number; verdicts: Record<string, string> }> => {
    const { code, stdout } = await here.run(['check', STACK, '--output', 'json']);
    const { items } = JSON.parse(stdout) as { items: CheckResult[] };
    return { code, verdicts: Object.fromEntries(items.map(({ name, verdict }) => [name, verdict])) };
  };
  const fault = async (workload: string, faults: Parameters<typeof setFaults>[3]): Promise<void> =>
    await setFaults(sandbox.dir, NAMESPACE, workload, faults);

  beforeAll(async () => {
    const test = await testCluster();
    ({ cluster, sandbox } = test);
    people = await receivers();
    kubectl = await kubectlFor(test.kubeconfig);
    here = await machine({ projectDir: PROJECT, env: { KUBECONFIG: test.kubeconfig, ...people.env } });
    const monitoring = `${STACK}-monitoring`;
    for (const stack of [STACK, monitoring]) await here.ok(['keys', 'init', stack]);
    await here.ok(['import-manifests', monitoring, 'examples/medical-kg/monitoring', '--as', 'monitoring']);
    await here.ok(['apply', monitoring, '--to', 'monitoring', '--yes', '--reason', 'set-up']);
    await here.ok(['import-manifests', STACK, 'examples/medical-kg/mineru', '--as', 'archive']);
    await rollback('--to', 'archive', '--scope', 'database');
  }, 180_000);
  afterAll(async () => {
    await kubectl(['delete', 'namespace', NAMESPACE, 'monitoring', '--wait=false']);
    await people.close();
    await here.remove();
  });

  it('M12: comes up whole from a directory of plain manifests, its data stores left out', async () => {
    const before = await look();
    expect(Object.keys(before)).toEqual(DATA_STORES);
    const plan = await here.json<Plan>(['rollback', STACK, '--to', 'archive', '--dry-run']);
    const kinds = plan.changes.map(({ ref, action }) => `${action} ${ref.kind}`);
    for (const kind of ['ConfigMap', 'Secret', 'Service', 'Deployment', 'Ingress'])
      expect(kinds).toContain(`create ${kind}`);
    expect(JSON.stringify(plan.changes.map(({ key }) => key))).not.toContain('postgres');
    const answer = await here.json<RunAnswer>(['apply', STACK, '--to', 'archive', '--yes', '--reason', 'set-up']);
    expect(answer.outcome).toBe('succeeded');
    const after = await look();
    expect(moved(before, after)).not.toEqual(expect.arrayContaining([expect.stringContaining('postgres')]));
    expect(Object.keys(after).length).toBeGreaterThan(DATA_STORES.length + 10);
    expect(await backendsOf()).toEqual(bothBy('mineru'));
    const captured = await capture('--as', 'v1.2.2');
    expect(captured.knownGood).toBe(true);
    archived = captured.id;
  });

  it('is released to Docling, which works at first', async () => {
    await here.ok(['import-manifests', STACK, 'examples/medical-kg/docling', '--as', 'v1.3.0']);
    await here.ok(['apply', STACK, '--to', 'v1.3.0', '--yes', '--reason', 'release v1.3.0']);
    expect(await backendsOf()).toEqual(bothBy('docling'));
    expect((await inside('gateway', '/health/docling')).status).toBe(200);
    people.clear();
  });

  it('M1: does not fail over while no alert fires', async () => {
    const before = await look();
    const args = ['rollback', STACK, '--to', 'v1.2.2', '--scope', 'application', '--yes', '--reason', 'a hunch'];
    const { code, stdout } = await here.run([...args, '--output', 'json']);
    expect(code).toBe(7);
    const answer = JSON.parse(stdout) as { outcome: string; code: string; reason: string };
    expect(answer).toMatchObject({ outcome: 'failed', code: 'CONTEXT_UNCONFIRMED' });
    expect(answer.reason).toContain('DoclingVLMProcessingSlow');
    expect(answer.reason).toContain('--emergency');
    expect(await look()).toEqual(before);
    expect((await inside('gateway', '/v1/orchestration/status')).body['paused']).toBe(false);
    expect([...people.announcements, ...people.tickets]).toEqual([]);
    const asked = await here.run(['check', STACK, '--runbook']);
    expect(asked.code).toBe(7);
  });

  it('M1: has an alert firing once Docling is slow and failing, and all that Docling depends on is well', async () => {
    await fault('docling-vlm', { delayMs: 1500, errorRate: 0.6 });
    await expect
      .poll(
        async () => {
          await backendsOf();
          return (await here.run(['check', STACK, '--runbook'])).code;
        },
        { timeout: 90_000, interval: 100 },
      )
      .toBe(0);
    const answer = await here.json<{
      kind: string;
      applies: boolean;
      alerts: { name: string }[];
      dependencies: string[];
    }>(['check', STACK, '--runbook']);
    expect(answer).toMatchObject({ kind: 'Runbook', applies: true });
    expect(answer.alerts.map(({ name }) => name).every((name) => name.startsWith('Docling'))).toBe(true);
    expect([...answer.dependencies].sort()).toEqual(['database', 'inner-gateway-health', 'orchestrator']);
  });

  it('M1: shows what differs and what would be done, and changes nothing by showing it', async () => {
    const [before, captured, runs] = [
      await look(),
      await capture(),
      await here.json<{ items: unknown[] }>(['history']),
    ];
    const { stdout: diff } = await here.ok(['diff', STACK, '--to', 'v1.2.2', '--scope', 'application']);
    for (const part of [
      'data.PDF_PROCESSING_BACKEND: docling → mineru',
      '-backend: docling',
      '+backend: mineru',
      'create  deployment/mineru-parser',
      'delete  deployment/docling-vlm',
      'medical-kg-rev/gateway:v1.3.0 → medical-kg-rev/gateway:v1.2.2',
      'data.API_TOKENS: secret value changed',
    ])
      expect(diff).toContain(part);
    const { code } = await here.run(['diff', STACK, '--to', 'v1.2.2', '--detailed-exitcode']);
    expect(code).toBe(2);

    const args = ['rollback', STACK, '--to', 'v1.2.2', '--scope', 'application', '--dry-run'];
    const shown = (await here.ok(args)).stdout;
    expect(shown).toContain('dry run: nothing was changed');
    const { steps } = await here.json<Plan>(args);
    expect(steps.map(({ phase, action }) => `${phase} ${action.kind}`)).toEqual([
      'locked lease',
      'locked confirm-context',
      'frozen hook',
      'safeguarded evidence',
      'safeguarded snapshot-before',
      'safeguarded checks',
      'applied apply',
      'applied prune',
      'applied prove-equal',
      'resumed hook',
      'validated checks',
      'completed record-after',
      'completed hook',
      'completed hook',
    ]);
    for (const { title } of steps) expect(shown).toContain(title);

    expect(await look()).toEqual(before);
    expect((await capture()).id).toBe(captured.id);
    expect((await here.json<{ items: unknown[] }>(['history'])).items).toHaveLength(runs.items.length);
    expect([...people.announcements, ...people.tickets]).toEqual([]);
  });

  it('M1 to M3: fails over by one command, tells the channel once and opens one ticket', async () => {
    const stores = Object.entries(await look()).filter(([name]) => DATA_STORES.includes(name));
    const args = ['rollback', STACK, '--to', 'v1.2.2', '--scope', 'application', '--yes', '--incident', INCIDENT];
    const { stdout, stderr } = await here.ok([...args, '--reason', 'Docling is failing', '--output', 'json']);
    const answer = JSON.parse(stdout) as RunAnswer;
    expect(answer).toMatchObject({ kind: 'Rollback', outcome: 'succeeded' });
    for (const name of ['gateway', 'pdf-orchestrator', 'mineru-parser'])
      expect(stderr).toMatch(new RegExp(`deployment/${name}.* and ready`));

    // M2: who answers, and who reads documents.
    expect((await inside('gateway', '/health/docling')).status).toBe(503);
    expect((await inside('gateway', '/health/mineru')).status).toBe(200);
    expect((await inside('gateway', '/v1/orchestration/status')).body).toMatchObject({ paused: false });
    expect(await backendsOf()).toEqual(bothBy('mineru'));
    expect(await get('Deployment', 'docling-vlm')).toBeUndefined();
    const told = await report(answer);
    expect(told.checks.after.map(({ name }) => name)).toContain('canaries-by-mineru');
    expect(told.checks.after.every(({ verdict }) => verdict === 'pass')).toBe(true);
    const order = told.steps.filter(({ status }) => status === 'done').map(({ title }) => title);
    const place = (start: string): number => order.findIndex((title) => title.startsWith(start));
    expect(place('pause-ingest')).toBeLessThan(place('Create 2'));
    expect(place('Create 2')).toBeLessThan(place('resume-ingest'));
    expect(place('resume-ingest')).toBeGreaterThan(0);
    const after = await look();
    for (const [name, digest] of stores) expect(after[name]).toBe(digest);

    // M3: told once each.
    expect(people.announcements).toHaveLength(1);
    expect(people.announcements[0]?.text).toContain(INCIDENT);
    expect(people.announcements[0]?.text).toContain('Docling is failing');
    expect(people.tickets).toHaveLength(1);
    expect(people.tickets[0]).toMatchObject({ repository: 'medical-kg/medical-kg-rev' });
    expect(people.tickets[0]?.body).toContain('docs/security/docling_security_assessment.md');
    expect(people.tickets[0]?.body).toContain(INCIDENT);
    await fault('docling-vlm', {});
    people.clear();
  });

  it('M15 and M16: answers as it should, and as fast as it should', async () => {
    const { code, verdicts } = await checks();
    expect(code).toBe(0);
    expect(verdicts).toMatchObject(
      Object.fromEntries(
        ['health', 'ready', 'database', 'api-documents', 'api-users', 'api-health', 'docling-is-off', 'mineru-is-on']
          .concat(['speed-of-health', 'speed-of-documents', 'speed-of-users', 'canaries-by-mineru', 'rollout'])
          .map((name) => [name, 'pass']),
      ),
    );
    expect(Object.values(verdicts).every((verdict) => verdict === 'pass')).toBe(true);
  });

  it('M16: fails the check of speed when the API is slow, and no other', async () => {
    await fault('medical-kg-rev-gateway', { delayMs: 700 });
    const { code, verdicts } = await checks();
    await fault('medical-kg-rev-gateway', {});
    expect(code).toBe(1);
    const bad = Object.keys(verdicts).filter((name) => verdicts[name] !== 'pass');
    expect(bad.sort()).toEqual(['speed-of-documents', 'speed-of-users']);
  });

  it('M15: fails every check of what is down, and failed requests are failures of speed', async () => {
    await fault('medical-kg-rev-gateway', { unavailable: true, errorRate: 1 });
    await fault('mineru-parser', { unavailable: true });
    await expect.poll(async () => await outside('/health'), { timeout: 30_000 }).toBe(503);
    await expect.poll(async () => (await inside('gateway', '/health/mineru')).status, { timeout: 30_000 }).toBe(503);
    const { code, verdicts } = await checks();
    await fault('medical-kg-rev-gateway', {});
    await fault('mineru-parser', {});
    expect(code).toBe(1);
    for (const name of ['health', 'ready', 'database', 'api-documents', 'api-users', 'api-health', 'mineru-is-on'])
      expect([name, verdicts[name]]).toEqual([name, 'fail']);
    for (const name of ['canaries-by-mineru', 'speed-of-health', 'speed-of-documents', 'speed-of-users', 'rollout'])
      expect([name, verdicts[name]]).toEqual([name, 'fail']);
    expect(verdicts['orchestrator']).toBe('pass');
    await expect.poll(async () => await outside('/ready'), { timeout: 30_000 }).toBe(200);
    await expect.poll(async () => (await inside('gateway', '/health/mineru')).status, { timeout: 30_000 }).toBe(200);
  });

  it('M13: takes back the ingress alone, shown before and proven by a request', async () => {
    const opened = {
      path: '/v1/orchestration',
      pathType: 'Prefix',
      backend: { service: { name: 'gateway', port: { name: 'http' } } },
    };
    await kubectl([
      '-n',
      NAMESPACE,
      'patch',
      'ingress',
      'medical-kg-rev-gateway-ingress',
      '--type=json',
      '-p',
      JSON.stringify([{ op: 'add', path: '/spec/rules/0/http/paths/0', value: opened }]),
    ]);
    await expect.poll(async () => await outside('/v1/orchestration/status'), { timeout: 20_000 }).toBe(200);
    const before = await look();
    const { stdout } = await here.ok(['diff', STACK, '--to', 'v1.2.2', '--scope', 'traffic']);
    expect(stdout).toContain('ingress/medical-kg-rev-gateway-ingress');
    expect(stdout).toContain('/v1/orchestration');
    expect((await rollback('--to', 'v1.2.2', '--scope', 'traffic')).outcome).toBe('succeeded');
    expect(await outside('/v1/orchestration/status')).toBe(404);
    expect(await outside('/health')).toBe(200);
    expect(moved(before, await look())).toEqual(['Ingress/medical-kg-rev-gateway-ingress']);
    expect((await capture()).id).toBe(archived);
  });

  it('M4: lists what can be gone back to, with image, age and verdict', async () => {
    const refused = await here.refused(['rollback', STACK, '--yes', '--reason', 'x']);
    expect(refused).toMatchObject({ exit: 64, code: 'TARGET_MISSING' });
    const choices = refused.details['choices'] as readonly Choice[];
    const find = (target: string): Choice | undefined => choices.find((choice) => choice.target === target);
    expect(find('v1.2.2')).toMatchObject({ kind: 'snapshot', knownGood: true, current: true });
    expect(find('v1.2.2')?.images).toContain('medical-kg-rev/gateway:v1.2.2');
    const revisions = choices.filter(({ target }) => target.startsWith('deployment/gateway@'));
    expect(new Set(revisions.flatMap(({ images }) => images))).toEqual(
      new Set(['medical-kg-rev/gateway:v1.2.2', 'medical-kg-rev/gateway:v1.3.0']),
    );
    expect(choices.every(({ ageMs }) => ageMs >= 0 && ageMs < 3_600_000)).toBe(true);
  });

  it('M4: takes one Deployment to its previous revision and back to a numbered one, and nothing beside it', async () => {
    const imageOf = async (): Promise<string> =>
      (await kubectl(['-n', NAMESPACE, 'get', 'deployment', 'gateway', '-o', 'jsonpath={..image}'])).trim();
    const revision = (await get('Deployment', 'gateway'))?.metadata.annotations?.['deployment.kubernetes.io/revision'];
    const before = await look();
    const back = await rollback('--to', 'deployment/gateway@previous', '--scope', 'gateway');
    expect(back.outcome).toBe('succeeded');
    expect(await imageOf()).toBe('medical-kg-rev/gateway:v1.3.0');
    expect(moved(before, await look())).toEqual(['Deployment/gateway']);
    expect((await inside('gateway', '/api/v1/health')).body['version']).toBe('v1.3.0');
    expect((await rollback('--to', `deployment/gateway@${revision}`, '--scope', 'gateway')).outcome).toBe('succeeded');
    expect(await imageOf()).toBe('medical-kg-rev/gateway:v1.2.2');
    expect((await capture()).id).toBe(archived);
    const gone = await here.refused(['diff', STACK, '--to', 'deployment/gateway@99']);
    expect(gone).toMatchObject({ exit: 64, code: 'TARGET_UNKNOWN' });
  });

  it('M14: goes back in an emergency by one command, whatever the alerts say, and tells everybody', async () => {
    await kubectl([
      '-n',
      NAMESPACE,
      'patch',
      'configmap',
      'medical-kg-rev-config',
      '-p',
      '{"data":{"PDF_PROCESSING_BACKEND":"docling"}}',
    ]);
    await kubectl([
      '-n',
      NAMESPACE,
      'set',
      'image',
      'deployment/medical-kg-rev-services',
      'services=medical-kg-rev/services:v1.3.1',
    ]);
    const calm = await here.run([
      'rollback',
      STACK,
      '--to',
      'known-good',
      '--scope',
      'application',
      '--yes',
      '--reason',
      'x',
    ]);
    expect(calm.code).toBe(7);
    people.clear();
    const args = ['--to', 'known-good', '--scope', 'application', '--emergency', '--incident', INCIDENT];
    const answer = await rollback(...args);
    expect(answer.outcome).toBe('succeeded');
    expect((await report(answer)).overrides).toEqual(expect.arrayContaining([expect.stringContaining('emergency')]));
    // Hurry skips the question, never the way back.
    expect((await report(answer)).snapshots.before).toMatch(/^sha256:/);
    expect((await capture()).id).toBe(archived);
    expect(people.announcements).toHaveLength(1);
    expect(people.tickets).toHaveLength(1);
  });

  it('M12: brings the whole namespace back from a snapshot, and its documents are still there', async () => {
    const documents = async (): Promise<number> =>
      ((await inside('gateway', '/api/v1/documents')).body['documents'] as unknown[]).length;
    const [before, stored] = [await look(), await documents()];
    expect(stored).toBeGreaterThan(2);
    const lost: ObjectRef[] = [
      { apiVersion: 'apps/v1', kind: 'Deployment', namespace: NAMESPACE, name: 'gateway' },
      { apiVersion: 'apps/v1', kind: 'Deployment', namespace: NAMESPACE, name: 'mineru-parser' },
      { apiVersion: 'v1', kind: 'Service', namespace: NAMESPACE, name: 'gateway' },
      { apiVersion: 'v1', kind: 'ConfigMap', namespace: NAMESPACE, name: 'medical-kg-rev-config' },
      { apiVersion: 'v1', kind: 'Secret', namespace: NAMESPACE, name: 'medical-kg-rev-secrets' },
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'Ingress',
        namespace: NAMESPACE,
        name: 'medical-kg-rev-gateway-ingress',
      },
    ];
    for (const ref of lost) await cluster.delete(ref, { propagation: 'Background' });
    expect((await rollback('--to', 'v1.2.2', '--scope', 'infrastructure')).outcome).toBe('succeeded');
    expect((await capture()).id).toBe(archived);
    expect(await outside('/health')).toBe(200);
    expect(await documents()).toBe(stored);
    const after = await look();
    for (const name of DATA_STORES) expect(after[name]).toBe(before[name]);
    // The data stores are there for who asks for them.
    await cluster.patch(
      { apiVersion: 'v1', kind: 'Service', namespace: NAMESPACE, name: 'postgres' },
      { type: 'merge', body: { metadata: { labels: { touched: 'yes' } } } },
      { fieldManager: 'kubectl-label' },
    );
    const changed = async (scope: string): Promise<string[]> =>
      (await here.json<Plan>(['diff', STACK, '--to', 'v1.2.2', '--scope', scope])).changes.map(({ ref }) => ref.name);
    expect(await changed('full')).toEqual([]);
    expect(await changed('database')).toEqual(['postgres']);
  });

  it('M9: takes the data back that a bad release damaged, with counts before and after, and undoes that', async () => {
    const sql = async (text: string): Promise<readonly Record<string, unknown>[]> => {
      const secret = (await get('Secret', 'postgres-credentials'))?.['data'] as Record<string, string>;
      const way = await cluster.forward({ namespace: NAMESPACE, service: 'postgres', port: 5432 });
      const client = new Client({
        host: way.host,
        port: way.port,
        user: 'medical_kg',
        database: 'medical_kg',
        password: Buffer.from(secret['POSTGRES_PASSWORD'] ?? '', 'base64').toString(),
      });
      await client.connect();
      const { rows } = await client.query<Record<string, unknown>>(text);
      await client.end();
      await way.close();
      return rows;
    };
    const counts = async (): Promise<unknown> =>
      await sql(`SELECT (SELECT count(*)::int FROM users) AS users, (SELECT count(*)::int FROM documents) AS documents,
                        (SELECT count(*)::int FROM chunks) AS chunks`);
    const before = await counts();
    await here.ok(['db', 'backup', STACK]);
    await sql(`DELETE FROM documents WHERE backend = 'mineru'`);
    const damaged = await counts();
    expect(damaged).not.toEqual(before);

    const reason = ['--yes', '--reason', 'v1.3.1 deleted documents'];
    const writers = ['gateway', 'medical-kg-rev-gateway', 'medical-kg-rev-services', 'pdf-orchestrator'];
    const replicas = async (): Promise<readonly unknown[]> =>
      await Promise.all(
        writers.map(async (name) => {
          const { spec, status } = (await get('Deployment', name)) as unknown as Record<string, Record<string, number>>;
          return [name, spec?.['replicas'], status?.['readyReplicas']];
        }),
      );
    const running = await replicas();
    const shown = await here.ok(['db', 'restore', STACK, 'latest', '--dry-run']);
    for (const name of writers) expect(shown.stdout).toContain(`deployment/${name}`);
    const answer = await here.json<RunAnswer>(['db', 'restore', STACK, 'latest', ...reason]);
    expect(answer.outcome).toBe('succeeded');
    expect(await counts()).toEqual(before);
    expect(await replicas()).toEqual(running);
    expect((await inside('gateway', '/health/database')).status).toBe(200);
    expect((await upload(sandbox.ingress, 'canary-one.pdf')).status).toBe(201);

    expect((await here.json<RunAnswer>(['undo', answer.run, ...reason])).outcome).toBe('succeeded');
    expect(await counts()).toEqual(damaged);
  });
});
