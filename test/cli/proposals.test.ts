import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Json, Proposal } from '../../src/model/index.ts';
import { fakeService, type FakeService, json } from '../client/fake-service.ts';
import { aPlan } from '../rollback/builders.ts';
import type { Machine } from '../support/backstay.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';

const PLAN = aPlan({ stack: 'shop' });
const ID = 'p-20260102-031500-3f9a2c';
const RUN = '20260102-031600-aaaaaa';
const proposal = (part: Partial<Proposal> = {}): Proposal => ({
  id: ID,
  stack: 'shop',
  createdAt: '2026-01-02T03:15:00.000Z',
  alerts: [
    {
      source: 'alertmanager',
      name: 'HighErrorRate',
      stack: 'shop',
      status: 'firing',
      groupKey: 'g',
      fingerprint: 'f',
      startsAt: '2026-01-02T03:14:00.000Z',
      labels: {},
    },
  ],
  mode: 'propose',
  target: 'known-good',
  state: 'open',
  plan: PLAN.hash,
  ...part,
});

/** The same words, whoever keeps the proposals. */
describe('the proposals at the command line', () => {
  let service: TestService;
  let here: Machine;
  let fake: FakeService | undefined;
  beforeAll(async () => {
    service = await testService({ stacks: { shop: aStackFile(), bank: aStackFile() } });
    here = service.machine;
    await service.deps.records.put('plan', PLAN.hash, 0, PLAN as unknown as Json);
  });
  afterEach(async () => {
    await fake?.close();
    fake = undefined;
    for (const { key } of await service.deps.records.list('proposal'))
      await service.deps.records.remove('proposal', key, 0);
  });
  afterAll(async () => await service.close());

  const keep = async (...all: readonly Proposal[]): Promise<void> => {
    for (const one of all) await service.deps.records.put('proposal', one.id, 0, one as unknown as Json);
  };
  const kept = async (): Promise<Proposal> =>
    (await service.deps.records.get('proposal', ID))?.value as unknown as Proposal;
  const answering = async (): Promise<string> => {
    const now = proposal();
    fake = await fakeService(({ method, url }, response) => {
      const what = `${method} ${url.split('?')[0] ?? ''}`;
      if (what === 'GET /v1/proposals') return json(response, 200, { items: [now] });
      if (what === `GET /v1/proposals/${ID}`) return json(response, 200, { ...now, planDetail: PLAN });
      if (what === `POST /v1/proposals/${ID}/accept`)
        return json(response, 202, { run: RUN, proposal: { ...now, state: 'started', run: RUN } });
      if (what === `POST /v1/proposals/${ID}/dismiss`) return json(response, 200, { ...now, state: 'dismissed' });
      return json(response, 404, { code: 'ROUTE_UNKNOWN', detail: `there is nothing at ${what}` });
    });
    return fake.url;
  };

  describe('of this machine', () => {
    it('are listed newest first, by stack and state', async () => {
      expect((await here.ok(['proposals'])).stdout).toContain('no alert has asked');
      await keep(proposal(), proposal({ id: 'p-2', stack: 'bank' }), proposal({ id: 'p-1', state: 'settled' }));
      const { stdout } = await here.ok(['proposals']);
      expect(stdout).toMatch(new RegExp(`${ID} +shop .* open .*known-good +HighErrorRate`));
      const ids = async (...args: readonly string[]) =>
        (await here.json<{ readonly items: readonly Proposal[] }>(['proposals', ...args])).items.map(({ id }) => id);
      expect(await ids()).toEqual([ID, 'p-2', 'p-1'].toSorted().toReversed());
      expect(await ids('bank')).toEqual(['p-2']);
      expect(await ids('shop', '--state', 'settled')).toEqual(['p-1']);
      expect(await here.refused(['proposals', '--state', 'gone'])).toMatchObject({ exit: 64, code: 'USAGE' });
    });

    it('are dismissed in the name of who is here, with a reason, once', async () => {
      await keep(proposal());
      expect(await here.refused(['proposal', 'dismiss', ID])).toMatchObject({ exit: 64, code: 'USAGE' });
      expect(await here.refused(['proposal', 'dismiss', ID, '--reason', ' '])).toMatchObject({ code: 'USAGE' });
      expect((await kept()).state).toBe('open');
      expect((await here.ok(['proposal', 'dismiss', ID, '--reason', 'a test'])).stdout).toContain(`dismissed  ${ID}`);
      expect(await kept()).toMatchObject({ state: 'dismissed', by: 'tester', because: 'a test' });
      for (const verb of ['dismiss', 'accept'])
        expect(
          await here.refused(['proposal', verb, ID, '--reason', 'x', ...(verb === 'accept' ? ['--yes'] : [])]),
        ).toMatchObject({
          code: 'PROPOSAL_DECIDED',
        });
      expect(await here.refused(['proposal', 'dismiss', 'p-none', '--reason', 'x'])).toMatchObject({
        code: 'PROPOSAL_UNKNOWN',
      });
    });

    it('are not accepted without a yes, nor before there is a plan to be seen', async () => {
      await keep(proposal());
      expect(await here.refused(['proposal', 'accept', ID])).toMatchObject({ exit: 64, code: 'CONFIRMATION_NEEDED' });
      expect((await kept()).state).toBe('open');
      await service.deps.records.remove('proposal', ID, 0);
      await keep(proposal({ state: 'planning' }));
      const refused = await here.refused(['proposal', 'accept', ID, '--yes']);
      expect(refused).toMatchObject({ code: 'PROPOSAL_DECIDED', next: 'Ask again in a moment.' });
      expect(await kept()).toMatchObject({ state: 'planning' });
    });

    it('stay open, with the reason, where the run is refused; nothing is journaled', async () => {
      await keep(proposal());
      // No cluster is there to be asked for the lease.
      const { code, stderr } = await here.run(['proposal', 'accept', ID, '--yes', '--reason', 'go']);
      expect(code).not.toBe(0);
      expect(stderr).toContain('What will be done');
      const after = await kept();
      expect(after).toMatchObject({ state: 'open', problem: { code: expect.stringMatching(/^[A-Z_]+$/) } });
      expect(stderr).toContain(after.problem?.code);
      expect(after).not.toHaveProperty('by');
      expect(await service.deps.journal.runs()).toEqual([]);
      expect(await service.deps.records.list('claim')).toEqual([]);
    });

    it('are told which run was begun, where one was first', async () => {
      await keep(proposal({ state: 'started', run: RUN, by: 'token:lea' }));
      const refused = await here.refused(['proposal', 'accept', ID, '--yes']);
      expect(refused).toMatchObject({ code: 'PROPOSAL_DECIDED', next: `Run \`backstay watch ${RUN}\`.` });
    });
  });

  describe('of a service', () => {
    it('are listed as it is asked for', async () => {
      const server = await answering();
      const listed = await here.json<{ readonly items: readonly object[] }>([
        '--server',
        server,
        'proposals',
        'shop',
        '--state',
        'open',
      ]);
      expect(listed.items).toMatchObject([{ id: ID, state: 'open' }]);
      const asked = new URL(fake?.asked[0]?.url ?? '', server).searchParams;
      expect([asked.get('stack'), asked.get('state')]).toEqual(['shop', 'open']);
    });

    it('are accepted once the plan was shown, and lead on to the run', async () => {
      const server = await answering();
      const { stdout, stderr } = await here.ok([
        '--server',
        server,
        'proposal',
        'accept',
        ID,
        '--yes',
        '--reason',
        'go',
      ]);
      expect(stderr).toContain('What will be done');
      expect(stdout).toContain(`run ${RUN} of shop`);
      expect(stdout).toContain(`backstay watch ${RUN}`);
      expect(fake?.asked.map(({ method }) => method)).toEqual(['GET', 'POST']);
      expect(JSON.parse(fake?.asked[1]?.body ?? '')).toEqual({ reason: 'go' });
    });

    it('are not accepted without a yes', async () => {
      const server = await answering();
      const refused = await here.refused(['--server', server, 'proposal', 'accept', ID]);
      expect(refused).toMatchObject({ exit: 64, code: 'CONFIRMATION_NEEDED' });
      expect(fake?.asked.map(({ method }) => method)).toEqual(['GET']);
    });

    it('are dismissed with the reason', async () => {
      const server = await answering();
      expect(await here.json(['--server', server, 'proposal', 'dismiss', ID, '--reason', 'a test'])).toMatchObject({
        kind: 'ProposalDismissed',
        proposal: { id: ID, state: 'dismissed' },
      });
      expect(JSON.parse(fake?.asked[0]?.body ?? '')).toEqual({ reason: 'a test' });
    });
  });
});
