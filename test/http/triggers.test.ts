import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json, Proposal } from '../../src/model/index.ts';
import { REQUEST_LIMITS } from '../../src/http/context.ts';
import { appFor, gateOfRoles } from '../support/app.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';

const TRIGGERS = '  backstay:triggers: { settle: 1s }\n';

let service: TestService;
let ask: ReturnType<typeof appFor>['ask'];

beforeAll(async () => {
  service = await testService({
    stacks: { shop: aStackFile(TRIGGERS), silent: aStackFile(), secret: aStackFile(TRIGGERS) },
  });
  const grants = [{ role: 'operator' as const, stacks: ['shop', 'silent'] }];
  ({ ask } = appFor(service.deps, {
    gate: gateOfRoles({ alertmanager: grants, stranger: [{ role: 'viewer', stacks: ['shop'] }] }),
  }));
});
afterAll(async () => await service.close());

let counted = 0;
const fresh = (): string => `f${(counted += 1)}`;

/** As Alertmanager 0.25 posts it. */
function webhook(labels: Readonly<Record<string, string>>, part: Readonly<Record<string, unknown>> = {}) {
  const alert = {
    status: 'firing',
    labels: { alertname: 'HighErrorRate', rollback_trigger: 'true', ...labels },
    annotations: { summary: 'errors' },
    startsAt: new Date().toISOString(),
    endsAt: '0001-01-01T00:00:00Z',
    generatorURL: 'http://prometheus:9090/graph?g0.expr=up',
    fingerprint: fresh(),
    ...part,
  };
  return {
    receiver: 'backstay',
    status: 'firing',
    alerts: [alert],
    groupLabels: {},
    commonLabels: labels,
    commonAnnotations: {},
    externalURL: 'http://alertmanager:9093',
    version: '4',
    groupKey: '{}:{}',
    truncatedAlerts: 0,
  };
}

async function post(
  who: string,
  body: unknown,
): Promise<{
  status: number;
  body: { alerts?: readonly Record<string, string>[]; code?: string; errors?: readonly { pointer: string }[] };
}> {
  const answer = await ask(who, 'POST', '/v1/triggers/alertmanager', body);
  return { status: answer.status, body: (await answer.json()) as never };
}

describe('the webhook for Alertmanager', () => {
  test('takes an alert once, and says what became of it', async () => {
    const body = webhook({ stack: 'shop' });
    const fingerprint = body.alerts[0]?.fingerprint;
    expect(await post('alertmanager', body)).toEqual({
      status: 200,
      body: { alerts: [{ fingerprint, did: 'recorded' }] },
    });
    expect(await post('alertmanager', body)).toEqual({
      status: 200,
      body: { alerts: [{ fingerprint, did: 'known' }] },
    });
  });

  test.each<[string, Readonly<Record<string, string>>, Readonly<Record<string, unknown>>, string]>([
    ['of no stack', { stack: 'nothing' }, {}, 'its labels name no stack'],
    ['of a stack that asks for none', { stack: 'silent' }, {}, 'the stack silent has no triggers'],
    ['of a stack on which one may not act', { stack: 'secret' }, {}, 'its labels name no stack'],
    ['without the label', { stack: 'shop', rollback_trigger: 'no' }, {}, 'it has no label rollback_trigger="true"'],
    ['that is old', { stack: 'shop' }, { startsAt: '2026-01-01T00:00:00Z' }, 'more than 15 min'],
    [
      'that is over and was never told',
      { stack: 'shop' },
      { status: 'resolved', endsAt: '2026-01-01T00:00:00Z' },
      'it is over',
    ],
  ])('starts nothing by an alert %s', async (_name, labels, part, because) => {
    const { status, body } = await post('alertmanager', webhook(labels, part));
    expect({ status, alerts: body.alerts }).toEqual({
      status: 200,
      alerts: [expect.objectContaining({ did: 'ignored', because: expect.stringContaining(because) })],
    });
  });

  test('takes what Grafana adds', async () => {
    const body = webhook(
      { stack: 'shop' },
      { values: { B: 22 }, silenceURL: 'http://g', dashboardURL: '', panelURL: '' },
    );
    expect(
      await post('alertmanager', { ...body, version: '1', orgId: 1, title: 'x', state: 'alerting' }),
    ).toMatchObject({
      status: 200,
      body: { alerts: [{ did: 'recorded' }] },
    });
  });

  test.each<[string, (body: ReturnType<typeof webhook>) => unknown, string]>([
    ['no alerts', () => ({ version: '4' }), '/alerts'],
    [
      'a moment that is none',
      (body) => ({ ...body, alerts: [{ ...body.alerts[0], startsAt: 'now' }] }),
      '/alerts/0/startsAt',
    ],
    [
      'labels that are no texts',
      (body) => ({ ...body, alerts: [{ ...body.alerts[0], labels: { a: {} } }] }),
      '/alerts/0/labels/a',
    ],
  ])('refuses %s by its place', async (_name, change, pointer) => {
    const { status, body } = await post('alertmanager', change(webhook({ stack: 'shop' })));
    expect(status).toBe(422);
    expect(body.errors).toContainEqual(expect.objectContaining({ pointer }));
  });

  test('is for those who may act somewhere', async () => {
    expect((await post('stranger', webhook({ stack: 'shop' }))).status).toBe(403);
  });

  test('writes down who began something, and no repetition', async () => {
    const decisions = async () => (await service.deps.records.list('decision')).length;
    const body = webhook({ stack: 'shop' });
    const before = await decisions();
    for (let times = 0; times < 3; times += 1) await post('alertmanager', body);
    expect((await decisions()) - before).toBe(1);
  });

  test('answers a storm, and people beside it', async () => {
    const limits = { ...REQUEST_LIMITS, perMinute: 60 };
    const app = appFor(service.deps, { limits });
    const body = webhook({ stack: 'shop' });
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, async () => await app.ask('operator', 'POST', '/v1/triggers/alertmanager', body)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const said = (await Promise.all(answers.map(async (answer) => await answer.json()))) as {
      alerts: { did: string }[];
    }[];
    expect(said.filter(({ alerts }) => alerts[0]?.did === 'recorded')).toHaveLength(1);
    expect((await app.ask('operator', 'GET', '/v1/proposals')).status).toBe(200);
  });
});

describe('proposals', () => {
  const store = async (id: string, part: Partial<Proposal> = {}): Promise<string> => {
    const proposal: Proposal = {
      id,
      stack: 'shop',
      createdAt: new Date().toISOString(),
      alerts: [],
      mode: 'propose',
      target: 'known-good',
      state: 'open',
      ...part,
    };
    await service.deps.records.put('proposal', id, 0, proposal as unknown as Json);
    return id;
  };
  const get = async (who: string, path: string) => {
    const answer = await ask(who, 'GET', path);
    return {
      status: answer.status,
      body: (await answer.json()) as { items: Proposal[]; next?: string } & Proposal & {
          planDetail?: unknown;
          code?: string;
        },
    };
  };

  beforeAll(async () => {
    await service.deps.records.put('plan', 'sha256:kept', 0, { hash: 'sha256:kept', stack: 'shop' });
    await store('p-1', { plan: 'sha256:kept' });
    await store('p-2', { state: 'dismissed' });
    await store('p-3', { stack: 'secret' });
    await store('p-4', { problem: { code: 'TARGET_UNKNOWN', message: 'nothing is known good' } });
  });

  test('are listed, the newest first, by stack and state and page', async () => {
    expect((await get('operator', '/v1/proposals')).body.items.map(({ id }) => id)).toEqual([
      'p-4',
      'p-3',
      'p-2',
      'p-1',
    ]);
    expect((await get('alertmanager', '/v1/proposals?state=open')).body.items.map(({ id }) => id)).toEqual([
      'p-4',
      'p-1',
    ]);
    expect((await get('operator', '/v1/proposals?stack=secret')).body.items.map(({ id }) => id)).toEqual(['p-3']);
    const first = (await get('operator', '/v1/proposals?limit=3')).body;
    const second = (await get('operator', `/v1/proposals?limit=3&cursor=${first.next ?? ''}`)).body;
    expect([first.items.length, second.items.map(({ id }) => id), second.next]).toEqual([3, ['p-1'], undefined]);
    expect((await get('operator', '/v1/proposals?state=new')).status).toBe(422);
  });

  test('are shown with their plan, to those who may watch the stack', async () => {
    expect((await get('alertmanager', '/v1/proposals/p-1')).body).toMatchObject({
      id: 'p-1',
      planDetail: { hash: 'sha256:kept' },
    });
    for (const id of ['p-3', 'p-9'])
      expect(await get('alertmanager', `/v1/proposals/${id}`)).toMatchObject({
        status: 404,
        body: { code: 'PROPOSAL_UNKNOWN' },
      });
  });

  test('are dismissed by one who may act, with a reason, once', async () => {
    const id = await store('p-5');
    const dismiss = async (who: string, body: unknown) =>
      (await ask(who, 'POST', `/v1/proposals/${id}/dismiss`, body)).status;
    expect(await dismiss('stranger', { reason: 'no' })).toBe(403);
    expect(await dismiss('operator', {})).toBe(422);
    expect(await dismiss('operator', { reason: 'a test' })).toBe(200);
    expect(await dismiss('operator', { reason: 'a test' })).toBe(409);
    expect((await get('operator', `/v1/proposals/${id}`)).body).toMatchObject({
      state: 'dismissed',
      by: 'token:operator',
      because: 'a test',
    });
  });

  test('without a plan say why they cannot be accepted', async () => {
    const answer = await ask('operator', 'POST', '/v1/proposals/p-4/accept', {});
    expect(answer.status).toBe(409);
    expect(await answer.json()).toMatchObject({
      code: 'PROPOSAL_DECIDED',
      detail: expect.stringContaining('nothing is known good'),
    });
  });
});
