import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { approve } from '../../src/actions/approve.ts';
import { fold } from '../../src/journal/index.ts';
import type { ApprovalNeed, Plan } from '../../src/model/index.ts';
import { createGate } from '../../src/service/access/prove.ts';
import { createToken } from '../../src/service/access/tokens.ts';
import type { ServiceDeps } from '../../src/service/deps.ts';
import { keepPlan } from '../../src/service/plans.ts';
import { accept } from '../../src/service/triggers/answer.ts';
import { opened } from '../../src/service/triggers/proposal.ts';
import { write } from '../../src/service/triggers/records.ts';
import { aPlan, aStep } from '../rollback/builders.ts';
import { actionOf } from '../rollback/world.ts';
import { appFor } from '../support/app.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';
import { withoutClusters } from './without-clusters.ts';

const NEED: ApprovalNeed = { severity: 'SEV-2', roles: ['cto'], when: 'before', count: 2, expiresMs: 3_600_000 };
const PLAN: Plan = aPlan({ steps: [aStep('a', 'frozen', { action: actionOf('resume-writers') })], approval: NEED });

let here: TestService;
let service: ServiceDeps;
let ask: ReturnType<typeof appFor>['ask'];
beforeEach(async () => {
  const policy =
    '  backstay:approvers: { cto: [anna, cleo] }\n  backstay:severities:\n    SEV-2: { approvers: [cto] }\n';
  here = await testService({ stacks: { 'medical-kg': aStackFile(policy) } });
  service = withoutClusters(here.deps);
  ({ ask } = appFor(service, { gate: createGate({ oidc: [] }, service) }));
});
afterEach(async () => await here.close());

const tokenOf = async (name: string, person?: string): Promise<string> => {
  const grants = [{ role: 'operator', stacks: ['*'], approves: ['cto'] }] as const;
  const { token } = await createToken(
    { name, grants, by: 'test', ...(person === undefined ? {} : { person }) },
    service,
  );
  return token;
};
const run = async (token: string): Promise<string> => {
  await keepPlan(PLAN, service);
  const answer = await ask(token, 'POST', '/v1/runs', { plan: PLAN.hash });
  expect(answer.status).toBe(202);
  return ((await answer.json()) as { run: string }).run;
};
const decide = async (token: string, id: string) => {
  const looked = await ask(token, 'GET', `/v1/runs/${id}/approval`);
  const etag = looked.headers.get('etag') ?? '';
  const body = { decision: 'approved', plan: PLAN.hash };
  const answer = await ask(token, 'POST', `/v1/runs/${id}/approval`, body, { 'If-Match': etag });
  return { status: answer.status, ...((await answer.json()) as { code?: string; detail?: string; missing?: number }) };
};
/** At the command line of their machine, on the same journal. */
const decideHere = async (user: string, id: string) => {
  const { journal, journalName, clock } = service;
  const [stack, reporter] = [await service.stack('medical-kg'), { report: () => undefined }];
  return await approve(
    { run: id, decision: 'approved' },
    { stack, by: { user, host: 'desk' }, journal, journalName, clock, reporter },
  );
};

describe('somebody who has several tokens', () => {
  test('does not approve their own run by another one, over HTTP or at the command line', async () => {
    const id = await run(await tokenOf('anna-ci', 'anna'));
    expect(fold(await service.journal.read(id)).by).toMatchObject({ user: 'token:anna-ci', person: 'anna' });
    const refused = await decide(await tokenOf('anna-laptop', 'anna'), id);
    expect(refused).toMatchObject({ status: 403, code: 'APPROVAL_REFUSED' });
    expect(refused.detail).toContain('asked for');
    await expect(decideHere('anna', id)).rejects.toMatchObject({ code: 'APPROVAL_REFUSED' });
  });

  test('is one of two who have to agree, whichever they show first', async () => {
    const id = await run(await tokenOf('bot'));
    expect(await decide(await tokenOf('anna-ci', 'anna'), id)).toMatchObject({ status: 200, missing: 1 });
    expect((await decide(await tokenOf('anna-laptop', 'Anna'), id)).detail).toContain('approved run');
    await expect(decideHere('anna', id)).rejects.toThrow('approved run');
    expect(await decideHere('cleo', id)).toMatchObject({ missing: 0, standing: 'granted' });
  });

  test('is who accepted the proposal by which a run began', async () => {
    await keepPlan(PLAN, service);
    const proposal = opened(
      { id: 'p-1', stack: 'medical-kg', alerts: [] },
      { mode: 'propose', target: 'known-good' },
      0,
    );
    await write(service.records, 'proposal', {
      key: 'p-1',
      version: 0,
      value: { ...proposal, state: 'open', plan: PLAN.hash },
    });
    const answer = await ask(await tokenOf('anna-ci', 'anna'), 'POST', '/v1/proposals/p-1/accept', {});
    const { run: id, proposal: after } = (await answer.json()) as { run: string; proposal: object };
    expect(after).toMatchObject({ by: 'token:anna-ci', person: 'anna' });
    expect((await decide(await tokenOf('anna-laptop', 'anna'), id)).detail).toContain('asked for');
    expect(await decide(await tokenOf('bo'), id)).toMatchObject({ status: 200 });
    await expect(accept('p-1', { by: 'token:bo' }, service)).rejects.toMatchObject({ code: 'PROPOSAL_DECIDED' });
  });

  test('is who a token is called after, where nothing else was said when it was made', async () => {
    const id = await run(await tokenOf('anna'));
    await expect(decideHere('anna', id)).rejects.toThrow('asked for');
    expect((await decide(await tokenOf('laptop', 'anna'), id)).detail).toContain('asked for');
    // Two such tokens are two people, as they always were.
    expect(await decide(await tokenOf('bo'), id)).toMatchObject({ status: 200, missing: 1 });
    expect(await decide(await tokenOf('bo-2'), id)).toMatchObject({ status: 200, missing: 0 });
  });

  test('is named where tokens are listed and made, and who asks is told', async () => {
    const grants = [{ role: 'admin', stacks: ['*'] }] as const;
    const { token: admin } = await createToken({ name: 'root', grants, by: 'test' }, service);
    const made = await ask(admin, 'POST', '/v1/tokens', { name: 'anna-ci', person: 'anna', grants });
    const { token, person } = (await made.json()) as { token: string; person: string };
    expect([made.status, person]).toEqual([201, 'anna']);
    expect(await (await ask(token, 'GET', '/v1/me')).json()).toMatchObject({
      principal: { id: 'token:anna-ci', person: 'anna' },
    });
    const { items } = (await (await ask(admin, 'GET', '/v1/tokens')).json()) as { items: readonly object[] };
    expect(items).toMatchObject([{ name: 'anna-ci', person: 'anna' }, { name: 'root' }]);
    expect((await ask(admin, 'POST', '/v1/tokens', { name: 'x', person: 'a b', grants })).status).toBe(422);
    await expect(createToken({ name: 'x', person: 'a b', grants, by: 'test' }, service)).rejects.toMatchObject({
      code: 'USAGE',
    });
  });
});
