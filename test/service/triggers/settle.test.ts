import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSqliteRecords } from '../../../src/adapters/sqlite/index.ts';
import { BackstayError } from '../../../src/errors/index.ts';
import type { Alert, Plan, Proposal, Stack, TriggerPolicy } from '../../../src/model/index.ts';
import type { ServiceStore } from '../../../src/ports/index.ts';
import type { Doing } from '../../../src/service/triggers/advance.ts';
import { accept, dismiss, proposals } from '../../../src/service/triggers/answer.ts';
import { receive } from '../../../src/service/triggers/intake.ts';
import type { TriggerDeps } from '../../../src/service/triggers/look.ts';
import { type AlertRecord, readAll } from '../../../src/service/triggers/records.ts';
import { settle } from '../../../src/service/triggers/settle.ts';
import { memoryJournal } from '../../rollback/memory-journal.ts';
import { stackOf } from '../../support/stack.ts';
import { alertOf, at, MINUTE, POLICY, T0 } from './alerts.ts';

/*
 * The way from alerts to a run over a real store. What the cluster is asked (the plan) and what journals (the run) are
 * stood in for; test/scenarios/alerts.test.ts has the real ones.
 */

let dir: string;
let records: ServiceStore;
let now: number;
let begun: { readonly run: string; readonly by: string | undefined }[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'backstay-triggers-'));
  records = await createSqliteRecords({ file: join(dir, 'records.sqlite') });
  now = T0;
  begun = [];
});
afterEach(async () => {
  await records.close();
  await rm(dir, { recursive: true, force: true });
});

function deps(policy: TriggerPolicy | null = POLICY, store: ServiceStore = records): TriggerDeps {
  const stack: Stack = stackOf('shop', policy === null ? {} : { triggers: policy });
  return {
    records: store,
    journal: memoryJournal(),
    clock: { now: () => now, monotonic: () => now, delay: async () => {} },
    by: { user: 'service', host: 'here' },
    stack: async () => await Promise.resolve(stack),
    withStack: () => {
      throw new TypeError('no stack is reached in these tests');
    },
  };
}

/** Plans at once, and notes each run that is begun; `person` keeps it from beginning by itself. */
function doing(part: Partial<Doing> = {}, person?: string): Doing {
  const plan = { hash: 'sha256:plan' } as unknown as Plan;
  return {
    plan: async () => await Promise.resolve({ kind: 'planned', plan, ...(person === undefined ? {} : { person }) }),
    begin: async ({ run = '', by }) => {
      begun.push({ run, by });
      await Promise.resolve();
    },
    ...part,
  };
}

async function tell(part: Partial<Alert> = {}): Promise<string> {
  return (await receive(alertOf(part), POLICY, deps())).did;
}

const all = async (): Promise<readonly Proposal[]> => await proposals({ records });
const states = async (): Promise<readonly AlertRecord[]> => (await readAll(records, 'alert')).map(({ value }) => value);

describe('a storm', () => {
  test('of a thousand identical alerts is one alert, one proposal and one run', async () => {
    const said = await Promise.all(Array.from({ length: 1_000 }, async () => await tell()));
    expect(said.filter((did) => did === 'recorded')).toHaveLength(1);
    expect(said.filter((did) => did === 'known')).toHaveLength(999);
    expect(await settle('shop', deps(), doing())).toBe(T0 + POLICY.settleMs);
    now += POLICY.settleMs;
    await settle('shop', deps(), doing());
    expect(await all()).toMatchObject([{ state: 'started', plan: 'sha256:plan', alerts: [{ fingerprint: 'f1' }] }]);
    expect(begun).toHaveLength(1);
    // Repeated for an hour, as Alertmanager does.
    for (let minute = 1; minute <= 60; minute += 1) {
      now = T0 + minute * MINUTE;
      expect(await tell()).toBe('known');
      await settle('shop', deps(), doing());
    }
    expect(await all()).toHaveLength(1);
    expect(begun).toHaveLength(1);
  });

  test('of many different alerts is one proposal as well, and later ones join it', async () => {
    const policy: TriggerPolicy = { ...POLICY, mode: 'propose' };
    for (let n = 0; n < 150; n += 1) await tell({ fingerprint: `f${n}` });
    now += POLICY.settleMs;
    await settle('shop', deps(policy), doing({}, 'the stack asks for a person'));
    await tell({ fingerprint: 'later', startsAt: at(POLICY.settleMs) });
    await settle('shop', deps(policy), doing());
    const [only, ...others] = await all();
    expect(others).toEqual([]);
    expect(only).toMatchObject({ state: 'open', because: 'the stack asks for a person' });
    expect(only?.alerts).toHaveLength(100);
    expect((await states()).every(({ state, proposal }) => state === 'taken' && proposal === only?.id)).toBe(true);
    expect(begun).toEqual([]);
  });

  test('over two services that settle at one time is one proposal and one run', async () => {
    const other = await createSqliteRecords({ file: join(dir, 'records.sqlite') });
    try {
      await tell();
      now += POLICY.settleMs;
      await Promise.all([settle('shop', deps(), doing()), settle('shop', deps(POLICY, other), doing())]);
      expect(await all()).toHaveLength(1);
      // Both may ask for it, and for the same one: the journal takes it once.
      expect(new Set(begun.map(({ run }) => run)).size).toBe(1);
    } finally {
      await other.close();
    }
  });
});

describe('alerts that are over', () => {
  test('before they settled start nothing', async () => {
    await tell();
    now += 1_000;
    expect(await tell({ status: 'resolved', endsAt: at(1_000) })).toBe('recorded');
    expect(await tell({ status: 'resolved', endsAt: at(1_000) })).toBe('known');
    now += POLICY.settleMs;
    await settle('shop', deps(), doing());
    expect(await all()).toEqual([]);
    expect(await states()).toMatchObject([{ state: 'settled' }]);
  });

  test('and are told of before their beginning start nothing either', async () => {
    expect(await tell({ status: 'resolved', endsAt: at(1_000) })).toBe('ignored');
    expect(await tell()).toBe('known');
    now += POLICY.settleMs;
    await settle('shop', deps(), doing());
    expect(await all()).toEqual([]);
  });

  test('while it is planned keep the run from beginning', async () => {
    await tell();
    now += POLICY.settleMs;
    const plan = doing().plan;
    const slow: Doing['plan'] = async (...given) => {
      await tell({ status: 'resolved', endsAt: at(POLICY.settleMs) });
      return await plan(...given);
    };
    await settle('shop', deps(), doing({ plan: slow }));
    expect(await all()).toMatchObject([{ state: 'settled', because: expect.stringContaining('over') }]);
    expect(begun).toEqual([]);
  });

  test('settle an open proposal, once they stay so', async () => {
    await tell();
    now += POLICY.settleMs;
    await settle('shop', deps(), doing({}, 'asked'));
    await tell({ status: 'resolved', endsAt: at(POLICY.settleMs) });
    expect(await settle('shop', deps(), doing())).toBe(now + POLICY.settleMs);
    expect(await all()).toMatchObject([{ state: 'open', alerts: [{ status: 'resolved' }] }]);
    now += POLICY.settleMs;
    await settle('shop', deps(), doing());
    expect(await all()).toMatchObject([{ state: 'settled' }]);
    // The place is free again.
    await tell({ startsAt: at(10 * MINUTE), fingerprint: 'next' });
    now += 10 * MINUTE;
    await settle('shop', deps(), doing({}, 'asked'));
    now += POLICY.settleMs;
    await settle('shop', deps(), doing({}, 'asked'));
    expect((await all()).map(({ state }) => state)).toEqual(['open', 'settled']);
  });
});

describe('what cannot be done', () => {
  test.each([
    ['nothing differs', async () => await Promise.resolve({ kind: 'nothing-to-do' as const }), { state: 'settled' }],
    [
      'there is no target',
      async () => await Promise.reject(new BackstayError('TARGET_UNKNOWN', 'nothing is known good')),
      { state: 'open', problem: { code: 'TARGET_UNKNOWN', message: 'nothing is known good' } },
    ],
    [
      'a defect, of which nothing is told that may be secret',
      async () => await Promise.reject(new TypeError('password hunter2')),
      { state: 'open', problem: { code: 'INTERNAL', message: 'TypeError' } },
    ],
  ])('%s: it is shown, and nothing begins', async (_name, plan, expected) => {
    await tell();
    now += POLICY.settleMs;
    await settle('shop', deps(), doing({ plan }));
    expect(await all()).toMatchObject([expected]);
    expect(begun).toEqual([]);
  });

  test('what may pass is tried again, and not for ever', async () => {
    await tell();
    now += POLICY.settleMs;
    const down = doing({
      plan: async () => await Promise.reject(new BackstayError('CLUSTER_UNREACHABLE', 'no answer')),
    });
    expect(await settle('shop', deps(), down)).toBe(now + 15_000);
    expect(await all()).toMatchObject([{ state: 'planning', problem: { code: 'CLUSTER_UNREACHABLE' } }]);
    now += POLICY.staleMs;
    await settle('shop', deps(), down);
    expect(await all()).toMatchObject([{ state: 'open', problem: { code: 'CLUSTER_UNREACHABLE' } }]);
  });

  test('a refusal of the run gives the proposal to a person', async () => {
    await tell();
    now += POLICY.settleMs;
    const refused = doing({
      begin: async () => await Promise.reject(new BackstayError('PERSON_NEEDED', 'the last change was a rollback')),
    });
    await settle('shop', deps(), refused);
    const [proposal] = await all();
    expect(proposal).toMatchObject({ state: 'open', plan: 'sha256:plan', problem: { code: 'PERSON_NEEDED' } });
    expect(proposal?.run).toBeUndefined();
  });
});

describe('a stack that asks for nothing any more', () => {
  test.each<[string, () => TriggerDeps]>([
    ['by its file', () => deps(null)],
    [
      'for it is gone',
      () => ({
        ...deps(),
        stack: async () => await Promise.reject(new BackstayError('STACK_UNKNOWN', 'no such stack')),
      }),
    ],
  ])('%s: what is open ends, and what comes is ignored', async (_name, gone) => {
    await tell();
    now += POLICY.settleMs;
    await settle('shop', deps(), doing({}, 'asked'));
    await tell({ fingerprint: 'f2' });
    expect(await settle('shop', gone(), doing())).toBeUndefined();
    expect(await settle('shop', gone(), doing())).toBeUndefined();
    expect(await all()).toMatchObject([{ state: 'expired', because: expect.stringContaining('asks for nothing') }]);
    expect((await states()).map(({ state }) => state).toSorted()).toEqual(['ignored', 'taken']);
  });
});

describe('a person', () => {
  const openOne = async (): Promise<string> => {
    await tell();
    now += POLICY.settleMs;
    await settle('shop', deps(), doing({}, 'asked'));
    return (await all())[0]?.id ?? '';
  };

  test('begins it, in the own name, once', async () => {
    const id = await openOne();
    const twice = await Promise.allSettled(
      ['token:ada', 'token:bob'].map(async (by) => await accept(id, { by, reason: 'yes' }, deps(), doing().begin)),
    );
    expect(twice.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(twice.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'PROPOSAL_DECIDED' } });
    const [proposal] = await all();
    expect(proposal).toMatchObject({ state: 'started', because: 'yes' });
    expect(begun).toEqual([{ run: proposal?.run, by: proposal?.by }]);
    await expect(dismiss(id, { by: 'token:eve', reason: 'no' }, deps())).rejects.toMatchObject({
      code: 'PROPOSAL_DECIDED',
    });
  });

  test('dismisses it, and the same alerts ask for nothing again', async () => {
    const id = await openOne();
    expect(await dismiss(id, { by: 'token:eve', reason: 'a test' }, deps())).toMatchObject({
      state: 'dismissed',
      by: 'token:eve',
      because: 'a test',
    });
    expect(await tell()).toBe('known');
    now += MINUTE;
    expect(await settle('shop', deps(), doing())).toBeUndefined();
    await expect(accept(id, { by: 'token:ada' }, deps(), doing().begin)).rejects.toMatchObject({
      code: 'PROPOSAL_DECIDED',
    });
    expect(begun).toEqual([]);
  });

  test('may decide again when the run was refused', async () => {
    const id = await openOne();
    const stale: Doing['begin'] = async () =>
      await Promise.reject(new BackstayError('STACK_UNFINISHED', 'run x is not over'));
    await expect(accept(id, { by: 'token:ada' }, deps(), stale)).rejects.toMatchObject({ code: 'STACK_UNFINISHED' });
    expect(await all()).toMatchObject([{ state: 'open', problem: { code: 'STACK_UNFINISHED' } }]);
    expect(await accept(id, { by: 'token:ada' }, deps(), doing().begin)).toMatchObject({
      state: 'started',
      by: 'token:ada',
    });
  });

  test('is told where there is none', async () => {
    await expect(accept('p-x', { by: 'a' }, deps())).rejects.toMatchObject({ code: 'PROPOSAL_UNKNOWN' });
    await expect(dismiss('p-x', { by: 'a', reason: 'b' }, deps())).rejects.toMatchObject({ code: 'PROPOSAL_UNKNOWN' });
  });
});

describe('killed at any write', () => {
  /** Fails at the given write as a killed process does: what was written stays, and nothing follows. */
  const cutAt = (writes: number): ServiceStore => {
    let left = writes;
    return {
      ...records,
      put: async (...given) => {
        if (left === 0) throw new TypeError('killed');
        left -= 1;
        return await records.put(...given);
      },
    };
  };

  test('the next service begins what was to be begun, as one run', async () => {
    for (let writes = 0; writes < 8; writes += 1) {
      const stack = `shop-${writes}`;
      await receive(alertOf({ stack }), POLICY, deps());
      now += POLICY.settleMs;
      begun = [];
      await settle(stack, deps(POLICY, cutAt(writes)), doing()).catch(() => undefined);
      await settle(stack, deps(), doing());
      const own = (await all()).filter((proposal) => proposal.stack === stack);
      expect(own, `cut at write ${writes}`).toMatchObject([{ state: 'started', alerts: [{ stack }] }]);
      expect(new Set(begun.map(({ run }) => run)), `cut at write ${writes}`).toEqual(new Set([own[0]?.run]));
      expect(await records.get('trigger', stack)).toMatchObject({ value: {} });
      now = T0;
    }
  });

  test('a run that could not be begun in time is no one-man show any more', async () => {
    await tell();
    now += POLICY.settleMs;
    const cut = doing({
      begin: async () => await Promise.reject(new BackstayError('JOURNAL_UNREACHABLE', 'no answer')),
    });
    await settle('shop', deps(), cut);
    expect(await all()).toMatchObject([{ state: 'started' }]);
    now += POLICY.staleMs + 1;
    await settle('shop', deps(), doing());
    expect(await all()).toMatchObject([{ state: 'open', problem: { code: 'PLAN_STALE' } }]);
    expect(begun).toEqual([]);
  });
});

test('in whatever order alerts are told and looked at, no alert asks for anything twice', async () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant('tell' as const), fingerprint: fc.constantFrom('a', 'b', 'c'), over: fc.boolean() }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 40_000 }) }),
    fc.record({ kind: fc.constant('look' as const) }),
  );
  let stacks = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 15 }), async (events) => {
      stacks += 1;
      const stack = `storm-${stacks}`;
      now = T0;
      begun = [];
      for (const one of events) {
        if (one.kind === 'wait') now += one.ms;
        else if (one.kind === 'look') await settle(stack, deps(), doing());
        else {
          const over = one.over ? { status: 'resolved' as const, endsAt: new Date(now).toISOString() } : {};
          await receive(alertOf({ stack, fingerprint: one.fingerprint, ...over }), POLICY, deps());
        }
      }
      const begunRuns = new Set(begun.map(({ run }) => run)).size;
      const own = (await all()).filter((proposal) => proposal.stack === stack);
      expect(own.filter(({ state }) => state === 'started')).toHaveLength(begunRuns);
      const asked = own.flatMap(({ alerts }) => alerts.map(({ fingerprint }) => fingerprint));
      expect(new Set(asked).size).toBe(asked.length);
    }),
    { numRuns: 40 },
  );
});
