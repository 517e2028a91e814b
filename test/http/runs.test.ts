import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { evidencePath } from '../../src/actions/evidence.ts';
import { fold, type JournalFact, type RunState } from '../../src/journal/index.ts';
import type { ApprovalNeed, Grant, Plan } from '../../src/model/index.ts';
import { createRun } from '../../src/rollback/index.ts';
import type { ServiceDeps } from '../../src/service/deps.ts';
import { claimIn } from '../../src/service/dispatch/claim.ts';
import { keepPlan } from '../../src/service/plans.ts';
import { aPlan, aStep } from '../rollback/builders.ts';
import { actionOf } from '../rollback/world.ts';
import { appFor, gateOfRoles } from '../support/app.ts';
import { journalOf } from '../support/journal.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';
import { withoutClusters } from './without-clusters.ts';

const NEED: ApprovalNeed = { severity: 'SEV-2', roles: ['cto'], when: 'before', count: 1, expiresMs: 3_600_000 };
const STEPS = [aStep('a', 'frozen', { action: actionOf('resume-writers') })];
const PLAN = aPlan({ steps: STEPS });
const OTHERS: Readonly<Record<string, readonly Grant[]>> = {
  shopper: [{ role: 'operator', stacks: ['shop'] }],
  carl: [{ role: 'viewer', stacks: ['*'], approves: ['cto'] }],
  lea: [{ role: 'viewer', stacks: ['*'] }],
  cara: [{ role: 'operator', stacks: ['*'], approves: ['cto'] }],
};

let here: TestService;
let service: ServiceDeps;
let ask: ReturnType<typeof appFor>['ask'];
const stopping = new AbortController();
beforeEach(async () => {
  const policy =
    "  backstay:approvers: { cto: ['token:lea'] }\n  backstay:severities:\n    SEV-2: { approvers: [cto] }\n";
  here = await testService({ stacks: { 'medical-kg': aStackFile(policy), shop: aStackFile() } });
  service = withoutClusters(here.deps);
  ({ ask } = appFor(service, { gate: gateOfRoles(OTHERS), stopping: stopping.signal }));
});
afterEach(async () => {
  await here.close();
});

/** Writes a run as its own process would have left it. */
async function past(facts: readonly JournalFact[], run = 'r1', plan: Plan = PLAN): Promise<RunState> {
  const entries = journalOf([{ kind: 'run-created', plan, by: { user: 'ada', host: 'desk' } }, ...facts], run);
  for (const entry of entries) await service.journal.append(entry);
  return fold(entries);
}

const asked = async (plan: Plan, who = 'operator'): Promise<{ readonly run: string; readonly state: string }> => {
  await keepPlan(plan, service);
  const answer = await ask(who, 'POST', '/v1/runs', { plan: plan.hash });
  expect(answer.status).toBe(202);
  return (await answer.json()) as { run: string; state: string };
};
const stateOf = async (run: string): Promise<RunState> => fold(await service.journal.read(run));
const BEGUN: JournalFact = { kind: 'step-begin', operation: 'o', step: 'a', attempt: 1 };
const ended = (outcome: 'succeeded' | 'mixed' | 'failed'): JournalFact => ({ kind: 'run-ended', outcome });

describe('asking for a run', () => {
  test('journals it in the name of who asked, and leaves it to whichever service is first', async () => {
    await keepPlan(PLAN, service);
    const answer = await ask('operator', 'POST', '/v1/runs', { plan: PLAN.hash });
    const { run, state } = (await answer.json()) as { run: string; state: string };
    expect([answer.status, answer.headers.get('location'), state]).toEqual([202, `/v1/runs/${run}`, 'queued']);
    expect(await stateOf(run)).toMatchObject({ by: { user: 'token:operator' }, trigger: 'person', phase: 'planned' });
    const claim = await service.records.get('claim', run);
    expect(claim === undefined ? undefined : claimIn(claim)).toMatchObject({
      stack: 'medical-kg',
      by: 'token:operator',
    });
    expect(await (await ask('viewer', 'GET', `/v1/runs/${run}`)).json()).toMatchObject({
      run,
      state: 'queued',
      plan: { hash: PLAN.hash },
      steps: [{ id: 'a', status: 'pending' }],
      carried: { by: 'token:operator' },
    });
  });

  test('a plan that needs an approval waits for it', async () => {
    const { run, state } = await asked(aPlan({ steps: STEPS, approval: NEED }));
    expect(state).toBe('waiting');
    expect(await (await ask('viewer', 'GET', `/v1/runs/${run}`)).json()).toMatchObject({
      state: 'waiting',
      next: `backstay approve ${run}`,
      approval: { standing: 'waiting', roles: ['cto'] },
    });
  });

  test('a plan that changes nothing starts no run', async () => {
    const nothing = aPlan();
    await keepPlan(nothing, service);
    const answer = await ask('operator', 'POST', '/v1/runs', { plan: nothing.hash });
    expect([answer.status, await answer.json()]).toMatchObject([200, { kind: 'nothing-to-do' }]);
    expect(await service.records.list('claim')).toEqual([]);
  });

  test.each<[string, string, unknown, number, string]>([
    ['by somebody who may only look', 'viewer', { plan: PLAN.hash }, 403, 'ACCESS_DENIED'],
    ['by somebody of another stack', 'shopper', { plan: PLAN.hash }, 403, 'ACCESS_DENIED'],
    ['of a plan that nobody made', 'operator', { plan: `sha256:${'0'.repeat(64)}` }, 404, 'PLAN_UNKNOWN'],
    ['of something that is no hash', 'operator', { plan: 'known-good' }, 422, 'REQUEST_INVALID'],
    ['with a field that there is not', 'operator', { plan: PLAN.hash, force: true }, 422, 'REQUEST_INVALID'],
  ])('is refused %s', async (_name, who, body, status, code) => {
    await keepPlan(PLAN, service);
    const answer = await ask(who, 'POST', '/v1/runs', body);
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([status, code]);
    expect([await service.journal.runs(), await service.records.list('claim')]).toEqual([[], []]);
  });

  test('twice with one key, it is one run', async () => {
    await keepPlan(PLAN, service);
    const key = { 'Idempotency-Key': 'pressed-twice' };
    const first = await (await ask('operator', 'POST', '/v1/runs', { plan: PLAN.hash }, key)).json();
    const second = await (await ask('operator', 'POST', '/v1/runs', { plan: PLAN.hash }, key)).json();
    expect(second).toEqual(first);
    expect(await service.journal.runs()).toHaveLength(1);
  });
});

describe('looking at runs', () => {
  test('lists them newest first, page by page, those of one’s own stacks alone', async () => {
    for (const run of ['r1', 'r2', 'r3']) await past([BEGUN, ended('succeeded')].slice(1), run);
    const first = (await (await ask('viewer', 'GET', '/v1/runs?limit=2')).json()) as Listed;
    expect(first.items.map(({ run }) => run)).toEqual(['r3', 'r2']);
    const rest = (await (await ask('viewer', 'GET', `/v1/runs?limit=2&cursor=${first.next ?? ''}`)).json()) as Listed;
    expect([rest.items.map(({ run }) => run), rest.next]).toEqual([['r1'], undefined]);
    expect(((await (await ask('shopper', 'GET', '/v1/runs')).json()) as Listed).items).toEqual([]);
    expect((await ask('shopper', 'GET', '/v1/runs/r1')).status).toBe(403);
    expect((await ask('viewer', 'GET', '/v1/runs/r9')).status).toBe(404);
  });

  test('tells how a run ended, and what can be done about it', async () => {
    await past([BEGUN, { kind: 'step-end', operation: 'o', step: 'a', outcome: 'failed' }, ended('mixed')]);
    expect(await (await ask('viewer', 'GET', '/v1/runs/r1')).json()).toMatchObject({
      state: 'ended',
      outcome: 'mixed',
      exitCode: 4,
      next: 'backstay resume r1',
      sequence: 4,
    });
  });

  test('has the report in the form that is asked for', async () => {
    await past([ended('failed')]);
    const types = ['text/html', 'application/json', 'text/markdown', '*/*'];
    const got = await Promise.all(
      types.map(async (Accept) =>
        (await ask('viewer', 'GET', '/v1/runs/r1/report', undefined, { Accept })).headers.get('content-type'),
      ),
    );
    expect(got.map((type) => type?.split(';')[0])).toEqual([
      'text/html',
      'application/json',
      'text/markdown',
      'text/markdown',
    ]);
  });

  test('gives evidence to those who may act, where there is some', async () => {
    await past([ended('failed')]);
    expect((await ask('viewer', 'GET', '/v1/runs/r1/evidence')).status).toBe(403);
    expect((await ask('operator', 'GET', '/v1/runs/r1/evidence')).status).toBe(404);
    await service.files.write(evidencePath(service.stateDir, 'r1'), 'an archive');
    const answer = await ask('operator', 'GET', '/v1/runs/r1/evidence');
    expect([answer.headers.get('content-type'), await answer.text()]).toEqual(['application/gzip', 'an archive']);
  });
});

interface Listed {
  readonly items: readonly { readonly run: string }[];
  readonly next?: string;
}

describe('going on and stopping', () => {
  test('a run that ended mixed is gone on with by a service', async () => {
    const state = await past([BEGUN, ended('mixed')]);
    expect((await ask('operator', 'POST', '/v1/runs/r1/resume', {})).status).toBe(202);
    const claim = await service.records.get('claim', 'r1');
    expect(claim === undefined ? undefined : claimIn(claim)).toMatchObject({
      by: 'token:operator',
      endedAt: state.ended?.at,
    });
  });

  test.each(['resume', 'cancel'])('nothing is left to %s of one that is over', async (verb) => {
    await past([ended('succeeded')]);
    const answer = await ask('operator', 'POST', `/v1/runs/r1/${verb}`, { reason: 'why not' });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([409, 'RUN_OVER']);
  });

  test('a run that a service has is stopped by that service', async () => {
    const { run } = await asked(PLAN);
    expect((await ask('operator', 'POST', `/v1/runs/${run}/cancel`, { reason: 'wrong stack' })).status).toBe(202);
    expect((await service.records.get('cancel', run))?.value).toMatchObject({
      by: 'token:operator',
      reason: 'wrong stack',
    });
    expect(await (await ask('viewer', 'GET', `/v1/runs/${run}`)).json()).toMatchObject({
      cancel: { reason: 'wrong stack' },
    });
  });

  test('one that nobody has, and that has not begun, ends here', async () => {
    await createRun(
      { run: 'r1', plan: PLAN },
      { ...service, reporter: { report: () => undefined }, by: { user: 'ada', host: 'desk' } },
    );
    await ask('operator', 'POST', '/v1/runs/r1/cancel', { reason: 'wrong stack' });
    expect((await stateOf('r1')).ended).toMatchObject({
      outcome: 'cancelled',
      reason: 'cancelled by token:operator: wrong stack',
    });
  });

  test('one that a command carries is stopped there', async () => {
    await past([BEGUN]);
    const answer = await ask('operator', 'POST', '/v1/runs/r1/cancel', { reason: 'wrong stack' });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([409, 'RUN_ELSEWHERE']);
  });

  test('an undo is of the plan that was shown, and no other', async () => {
    await past([BEGUN, ended('succeeded')]);
    await keepPlan(PLAN, service);
    const answer = await ask('operator', 'POST', '/v1/runs/r1/undo', { plan: PLAN.hash });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([422, 'PLAN_REFUSED']);
  });
});

describe('deciding', () => {
  const approval = async (run: string, who = 'carl') => await ask(who, 'GET', `/v1/runs/${run}/approval`);
  const CAREFUL = aPlan({ steps: STEPS, approval: { ...NEED, count: 2 } });
  const decide = async (run: string, who: string, etag: string | null, body: object = {}) =>
    await ask(
      who,
      'POST',
      `/v1/runs/${run}/approval`,
      { decision: 'approved', plan: CAREFUL.hash, ...body },
      etag === null ? {} : { 'If-Match': etag },
    );

  test('of two at one moment one is heard, and the other one looks again', async () => {
    const { run } = await asked(CAREFUL);
    const seen = await approval(run);
    expect(await seen.json()).toMatchObject({ role: 'cto', standing: 'waiting', missing: 2, given: [] });
    const etag = seen.headers.get('etag');
    const both = await Promise.all([decide(run, 'carl', etag), decide(run, 'lea', etag)]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412]);
    const late = both[0].status === 412 ? 'carl' : 'lea';
    const again = (await approval(run, late)).headers.get('etag');
    expect(again).not.toBe(etag);
    expect(await (await decide(run, late, again)).json()).toMatchObject({ standing: 'granted', missing: 0 });
    expect((await stateOf(run)).approvals.map(({ by }) => by.user).toSorted()).toEqual(['token:carl', 'token:lea']);
  });

  test.each<[string, string, object, number, string]>([
    ['without saying what was seen', 'carl', { etag: null }, 428, 'CONDITION_MISSING'],
    ['of something else', 'carl', { etag: '"0000000000000000.2"' }, 412, 'CONDITION_FAILED'],
    ['by somebody without the role', 'viewer', {}, 403, 'ACCESS_DENIED'],
    ['by the one who asked', 'cara', {}, 403, 'APPROVAL_REFUSED'],
    ['a denial without a reason', 'carl', { body: { decision: 'denied' } }, 422, 'REQUEST_INVALID'],
    ['of another plan', 'carl', { body: { plan: PLAN.hash } }, 412, 'CONDITION_FAILED'],
  ])('is refused %s', async (_name, who, { etag, body }: { etag?: string | null; body?: object }, status, code) => {
    const { run } = await asked(CAREFUL, 'cara');
    const seen = (await approval(run)).headers.get('etag');
    const answer = await decide(run, who, etag === undefined ? seen : etag, body);
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([status, code]);
    expect((await stateOf(run)).approvals).toEqual([]);
  });

  test('a denial ends the run', async () => {
    const { run } = await asked(CAREFUL);
    const etag = (await approval(run)).headers.get('etag');
    const answer = await decide(run, 'carl', etag, { decision: 'denied', reason: 'not on a Friday' });
    expect(await answer.json()).toMatchObject({ standing: 'denied' });
    expect((await stateOf(run)).ended).toMatchObject({ code: 'APPROVAL_DENIED' });
  });

  test('says to everybody what is missing, and to those who may not why', async () => {
    const { run } = await asked(CAREFUL);
    expect(await (await approval(run, 'viewer')).json()).toMatchObject({
      because: expect.stringContaining('holds no role'),
    });
    expect(await (await ask('viewer', 'GET', '/v1/approvals')).json()).toMatchObject({
      items: [{ run, given: 0, count: 2 }],
    });
    expect(await (await ask('shopper', 'GET', '/v1/approvals')).json()).toMatchObject({ items: [] });
  });
});

describe('watching', () => {
  const events = async (run: string, headers: Readonly<Record<string, string>> = {}, query = '') =>
    await ask('viewer', 'GET', `/v1/runs/${run}/events${query}`, undefined, headers);
  const idsIn = (text: string): readonly number[] => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));

  test('a run that is over has all its events, from wherever one asks on', async () => {
    await createRun(
      { run: 'r1', plan: aPlan({ steps: STEPS, approval: NEED }) },
      {
        ...service,
        reporter: { report: () => undefined },
        by: { user: 'ada', host: 'desk' },
      },
    );
    await ask('operator', 'POST', '/v1/runs/r1/cancel', { reason: 'enough' });
    const text = await (await events('r1')).text();
    expect([...text.matchAll(/^event: (.+)$/gm)].map(([, type]) => type)).toEqual([
      'run.started',
      'approval.needed',
      'run.ended',
      'end',
    ]);
    const [first = 0, ...rest] = idsIn(text);
    expect(idsIn(await (await events('r1', { 'Last-Event-ID': String(first) })).text())).toEqual(rest);
    expect(idsIn(await (await events('r1', {}, `?after=${first}`)).text())).toEqual(rest);
    expect((await events('r1', { 'Last-Event-ID': 'yesterday' })).status).toBe(422);
  });

  test('one that goes on is told as it is written, and waits for more', async () => {
    const { run } = await asked(PLAN);
    const reader = (await events(run)).body?.getReader();
    const read = async (): Promise<string> => new TextDecoder().decode((await reader?.read())?.value);
    expect([await read(), await read()]).toEqual(['retry: 2000\n\n', expect.stringContaining('run.started')]);
    const next = read();
    await ask('operator', 'POST', `/v1/runs/${run}/cancel`, { reason: 'enough' });
    await service.records.remove('claim', run, 0);
    await ask('operator', 'POST', `/v1/runs/${run}/cancel`, { reason: 'enough' });
    expect(await next).toContain('event: run.ended');
    expect(await read()).toContain('event: end');
  });

  test.each(['token', 'service'] as const)('it ends with the %s, which is not the end of the run', async (what) => {
    const { run } = await asked(PLAN);
    const ends = { token: new AbortController(), service: new AbortController() };
    const roles = gateOfRoles();
    const { ask: askLate } = appFor(service, {
      gate: {
        prove: async (credentials) => {
          const proven = await roles.prove(credentials);
          if (proven === undefined) return undefined;
          const { signal } = ends.token;
          const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          return { ...proven, ended: async () => await ended };
        },
      },
      stopping: ends.service.signal,
    });
    const reader = (await askLate('viewer', 'GET', `/v1/runs/${run}/events`)).body?.getReader();
    const read = async (): Promise<string | undefined> => {
      const { done, value } = (await reader?.read()) ?? { done: true };
      return done ? undefined : new TextDecoder().decode(value);
    };
    expect([await read(), await read()]).toEqual(['retry: 2000\n\n', expect.stringContaining('run.started')]);
    const rest = read();
    ends[what].abort();
    expect(await rest).toBeUndefined();
  });

  test('what changes is told to those who may see it', async () => {
    const reader = (await ask('viewer', 'GET', '/v1/events')).body?.getReader();
    const other = (await ask('shopper', 'GET', '/v1/events')).body?.getReader();
    await reader?.read();
    await other?.read();
    let text = '';
    const told = (async () => {
      while (!text.includes('"run":"')) text += new TextDecoder().decode((await reader?.read())?.value);
    })();
    const { run } = await asked(PLAN);
    await told;
    expect(text).toContain(`data: {"stack":"medical-kg","run":"${run}"}`);
    await reader?.cancel();
    await other?.cancel();
    expect((await ask('shopper', 'GET', '/v1/events?stack=medical-kg')).status).toBe(403);
  });
});
