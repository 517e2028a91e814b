import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunReport } from '../../src/rollback/index.ts';
import { type LocalServer, localServer } from '../hooks/server.ts';
import { type Machine, machine, PROJECT } from '../support/backstay.ts';
import { testCluster } from '../support/cluster.ts';
import { type Doorman, doorman } from '../support/doorman.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { type Serving, serving } from '../support/serving.ts';
import type { CaptureAnswer, RunAnswer } from '../support/shop.ts';

const STACK = 'keiko';
const NAMESPACE = 'keiko-production';
const ORDER = ['auth-service', 'search-service', 'document-service', 'chat-service', 'gateway-bff'];
const TOKENS = { status: 'status-page-9c21f0', users: 'user-notices-5e77ab' };
/** Generous: the machine may be busy with other tests. */
const PATIENCE = { timeout: 90_000 };

interface Incident {
  readonly incident: string;
  readonly component: string;
  readonly status: 'open' | 'resolved';
  readonly message: string;
}

/**
 * Keiko's runbook, K1 and K9: a release takes several services down. Real services on a real API server, and a service of
 * Backstay that tells a status page, users, the incident channel and a pager.
 */
describe('Keiko', { timeout: 240_000 }, () => {
  let here: Machine;
  let kubectl: Kubectl;
  let door: Doorman;
  let outside: LocalServer;
  let service: Serving;

  const by = (user: string) => ({ env: { BACKSTAY_USER: user } });
  const set = async (tag: string, services: readonly string[]): Promise<void> => {
    for (const name of services)
      await kubectl(['-n', NAMESPACE, 'set', 'image', `deployment/${name}`, `${name}=keiko/${name}:${tag}`]);
    for (const name of services)
      await kubectl(['-n', NAMESPACE, 'rollout', 'status', `deployment/${name}`, '--timeout=120s']);
  };
  const images = async (): Promise<Readonly<Record<string, string>>> => {
    const path = '{range .items[*]}{.metadata.name} {.spec.template.spec.containers[0].image}{"\\n"}{end}';
    const said = await kubectl(['-n', NAMESPACE, 'get', 'deployments', '-o', `jsonpath=${path}`]);
    return Object.fromEntries(
      said
        .trim()
        .split('\n')
        .map((line) => line.split(/ keiko\/[^:]+:/)),
    ) as never;
  };
  const all = (tag: string): Readonly<Record<string, string>> => Object.fromEntries(ORDER.map((name) => [name, tag]));
  const failing = async (): Promise<readonly string[]> => {
    const { stdout } = await here.run(['check', STACK, '--output', 'json']);
    const { items } = JSON.parse(stdout) as { items: readonly { name: string; verdict: string }[] };
    return items.filter(({ verdict }) => verdict !== 'pass').map(({ name }) => name);
  };
  const report = async (run: string): Promise<RunReport> => await here.json<RunReport>(['report', run]);
  /** In the order in which their objects were done; each before the next one was touched. */
  const orderOf = ({ objects }: RunReport): readonly string[] => {
    const services = objects.filter(({ key }) => key.startsWith('apps/Deployment/'));
    const sorted = services.toSorted((a, b) => (a.from < b.from ? -1 : 1));
    sorted.slice(1).forEach(({ key, from }, at) => {
      const before = sorted[at];
      expect([key, from >= (before?.to ?? '')]).toEqual([key, true]);
    });
    return sorted.map(({ key }) => key.split('/').at(-1) ?? '');
  };
  /** What a receiver was told, oldest first. */
  const toldAt = (path: string): readonly Record<string, unknown>[] =>
    outside.received.filter(({ url }) => url === path).map(({ body }) => JSON.parse(body) as Record<string, unknown>);
  const words = (path: string): readonly (readonly [string, string])[] =>
    (toldAt(path) as unknown as readonly Incident[]).map(({ status, message }) => [status, message]);
  const chat = (): readonly string[] => toldAt('/slack').map(({ text }) => String(text));
  const pages = (): readonly string[] =>
    toldAt('/pager').map(({ payload }) => (payload as { summary?: string } | undefined)?.summary ?? 'acknowledged');
  /** As their stack file says it, by notice. */
  const BEGINS = /going back to an earlier version/;
  const GOES_ON = /takes longer than we said/;
  const OVER = /work again/;

  beforeAll(async () => {
    const { kubeconfig } = await testCluster();
    kubectl = await kubectlFor(kubeconfig);
    door = await doorman();
    outside = await localServer(({ url, headers }) => {
      const token = { '/status': TOKENS.status, '/users': TOKENS.users }[url];
      return { status: token === undefined || headers.authorization === `Bearer ${token}` ? 200 : 401 };
    });
    here = await machine({
      env: {
        KUBECONFIG: kubeconfig,
        SLACK_WEBHOOK_URL: `${outside.url}/slack`,
        PAGERDUTY_KEY: 'on-call-0f3a',
        PAGERDUTY_CTO_KEY: 'cto-77d1',
        STATUS_PAGE_TOKEN: TOKENS.status,
        USER_NOTICES_TOKEN: TOKENS.users,
      },
    });
    await here.stack(STACK, await ourStack());
    await kubectl(['create', 'namespace', NAMESPACE]);
    await here.ok(['keys', 'init', STACK]);
    await here.ok(['import-manifests', STACK, join(PROJECT, 'examples/keiko/v1.2.0'), '--as', 'manifests']);
    await here.ok(['apply', STACK, '--to', 'manifests', '--yes', '--reason', 'set-up']);
    const captured = await here.json<CaptureAnswer>(['capture', STACK, '--as', 'v1.2.0']);
    if (!captured.knownGood) throw new TypeError('v1.2.0 is not well');
    service = await serving(here);
  }, 240_000);
  afterAll(async () => {
    await service.stop();
    await kubectl(['delete', 'namespace', NAMESPACE, '--wait=false']);
    await Promise.all([here.remove(), door.close(), outside[Symbol.asyncDispose]()]);
  });
  beforeEach(() => {
    outside.received.length = 0;
    door.forget();
  });

  /** The stack file as it is, with receivers of ours, deadlines that a test can wait for, and a door to hold a run at. */
  async function ourStack(): Promise<string> {
    const text = await readFile(join(PROJECT, 'stacks/Pulumi.keiko.yaml'), 'utf8');
    const changes: readonly (readonly [string, string])[] = [
      ['https://status.keiko.example/api/incidents', `${outside.url}/status`],
      ['https://notices.keiko.example/api/notices', `${outside.url}/users`],
      ['kind: pagerduty\n', `kind: pagerduty\n        url: ${outside.url}/pager\n`],
      ['deadline: 5m', 'deadline: 6s'],
      ['deadline: 15m', 'deadline: 4s'],
    ];
    const changed = changes.reduce((now, [from, to]) => {
      expect(now).toContain(from);
      return now.replaceAll(from, to);
    }, text);
    const hook = `{ name: pause, phase: frozen, timeout: 2m, action: { kind: http, target: { url: ${door.url}/pause } } }`;
    return `${changed}\n  backstay:hooks:\n    - ${hook}\n`;
  }

  it('K9, critical: begins at once, goes back in the declared order, and tells users when it takes longer', async () => {
    await set('v1.3.0', ORDER);
    expect(await failing()).toEqual(['search-service', 'chat-service', 'a-question']);
    const severity = ['--severity', 'critical', '--reason', 'nobody finds anything since v1.3.0'];
    const ask = ['rollback', STACK, '--to', 'v1.2.0', ...severity];
    const shown = await here.ok([...ask, '--dry-run']);
    expect(shown.stdout).toContain('critical: needs approval by cto or lead-engineer afterwards');
    expect(shown.stdout).toContain('critical: to be done within 6.0 s');
    expect(shown.stdout).toContain(`one after another: ${ORDER.map((name) => `deployment/${name}`).join(', ')}`);

    const { arrived, open: letGo } = door.hold('/pause');
    const running = here.start([...ask, '--yes', '--output', 'json']);
    await arrived;
    await expect.poll(() => words('/status'), PATIENCE).toHaveLength(2);
    letGo();
    const { code, stdout } = await running.ended;
    expect({ code, stdout }).toMatchObject({ code: 0 });
    const { run } = JSON.parse(stdout) as RunAnswer;
    expect(await images()).toEqual(all('v1.2.0'));
    expect(await failing()).toEqual([]);
    for (const path of ['/status', '/users']) {
      await expect.poll(() => words(path), PATIENCE).toHaveLength(3);
      expect(words(path)).toEqual([
        ['open', expect.stringMatching(BEGINS)],
        ['open', expect.stringMatching(GOES_ON)],
        ['resolved', expect.stringMatching(OVER)],
      ]);
      expect(toldAt(path)).toMatchObject(Array.from({ length: 3 }, () => ({ incident: run, component: STACK })));
      // Nobody outside learns who, why or what.
      expect(JSON.stringify(toldAt(path))).not.toMatch(/v1\.[23]\.0|tester|finds anything|critical/);
    }
    expect(chat().some((text) => text.includes('not done by'))).toBe(true);

    const told = await report(run);
    expect(told.outcome).toBe('succeeded');
    expect(orderOf(told)).toEqual(ORDER);
    expect(Date.parse(told.deadline ?? '')).toBe(Date.parse(told.startedAt) + 6_000);
    expect((await here.ok(['report', run, '--format', 'markdown'])).stdout).toMatch(/To be done by \|.*missed by/);
    expect(told.followUps).toContainEqual(expect.stringContaining('critical asks for it afterwards'));
    const refused = await here.refused(['approve', run, '--yes'], by('otto'));
    expect(refused).toMatchObject({ exit: 7, code: 'APPROVAL_REFUSED' });
    expect(await here.json(['approve', run, '--yes'], by('lars'))).toMatchObject({ role: 'lead-engineer' });
  });

  it('K9, high: waits for the team lead, is told to be late before it began, and goes on by itself once approved', async () => {
    const bad = ['search-service', 'chat-service'];
    await set('v1.3.0', bad);
    const options = { severity: 'high', reason: 'more than half of them find nothing' };
    const { plan } = await service.json<{ plan: { hash: string; deadlineMs: number } }>(
      201,
      'POST',
      `/v1/stacks/${STACK}/plans`,
      { target: 'v1.2.0', options },
    );
    expect(plan.deadlineMs).toBe(4_000);
    const { run } = await service.json<{ run: string }>(202, 'POST', '/v1/runs', { plan: plan.hash });
    await expect.poll(() => chat().filter((text) => text.includes('not done by')), PATIENCE).toHaveLength(2);
    const late = chat().find((text) => text.includes('not done by'));
    expect(late).toContain('The deadline of severity high has passed. It waits for its approval.');
    expect(late).toContain(`backstay approve ${run}`);
    await expect.poll(pages, PATIENCE).toContainEqual(expect.stringContaining('not done by'));
    // Nothing was begun that users would notice.
    expect([toldAt('/status'), toldAt('/users')]).toEqual([[], []]);
    expect(await images()).toMatchObject({ 'search-service': 'v1.3.0', 'chat-service': 'v1.3.0' });

    const refused = await here.refused(['approve', run, '--yes'], by('otto'));
    expect(refused).toMatchObject({ exit: 7, code: 'APPROVAL_REFUSED' });
    const given = await here.json<{ role: string }>(['approve', run, '--yes'], by('tina'));
    expect(given.role).toBe('team-lead');
    for (const path of ['/status', '/users']) {
      await expect.poll(() => words(path), PATIENCE).toHaveLength(2);
      expect(words(path)).toEqual([
        ['open', expect.stringMatching(BEGINS)],
        ['resolved', expect.stringMatching(OVER)],
      ]);
    }
    const told = await report(run);
    expect([told.outcome, orderOf(told)]).toEqual(['succeeded', bad]);
    expect(await images()).toEqual(all('v1.2.0'));
    const sent = async (...states: readonly string[]): Promise<readonly object[]> => {
      const path = `/v1/notifications?run=${run}&limit=200`;
      const { items } = await service.json<{ items: readonly { state: string }[] }>(200, 'GET', path);
      return items.filter(({ state }) => states.includes(state));
    };
    await expect.poll(async () => await sent('due', 'sending'), PATIENCE).toEqual([]);
    expect(await sent('refused', 'given-up')).toEqual([]);
    expect(JSON.stringify(service.log)).not.toMatch(/9c21f0|5e77ab|0f3a/);
  });

  it('K1: takes one service to a version, once two of the team agreed that it is a small matter', async () => {
    await set('v1.3.0', ['document-service', 'chat-service']);
    const ask = ['rollback', STACK, '--to', 'v1.2.0', '--scope', 'chat-service', '--severity', 'low'];
    const { code, stdout } = await here.run([...ask, '--yes', '--reason', 'chat alone', '--output', 'json']);
    const { run } = JSON.parse(stdout) as RunAnswer;
    expect(code).toBe(6);
    for (const [user, missing] of [
      ['mia', 1],
      ['tina', 0],
    ] as const)
      expect(await here.json(['approve', run, '--yes'], by(user))).toMatchObject({ role: 'team', missing });
    await here.ok(['resume', run, '--yes']);
    expect(await images()).toEqual({ ...all('v1.2.0'), 'document-service': 'v1.3.0' });
    expect(await failing()).toEqual([]);
  });
});
