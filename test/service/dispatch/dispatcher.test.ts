import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fold, type RunState } from '../../../src/journal/index.ts';
import type { ApprovalNeed } from '../../../src/model/index.ts';
import { addFact } from '../../../src/rollback/index.ts';
import { CLAIM_MS, stored } from '../../../src/service/dispatch/claim.ts';
import { QUEUE_MS } from '../../../src/service/dispatch/decide.ts';
import { type Machines, machines } from './machines.ts';

const NEED: ApprovalNeed = { severity: 'SEV-2', roles: ['cto'], when: 'before', count: 1, expiresMs: 3_600_000 };
let here: Machines;
beforeEach(async () => {
  here = await machines();
});
afterEach(async () => {
  await here.close();
});

const stateOf = (run: string): RunState => fold(here.journal.entries.filter((entry) => entry.run === run));
const isOver = (run: string) => (): boolean => stateOf(run).ended !== undefined;
const hasBegun = (run: string, step: string) => (): boolean => stateOf(run).steps.get(step)?.status === 'begun';
const cancelled = async (run: string): Promise<void> => {
  await here.records.put('cancel', run, 0, stored({ by: 'bo', reason: 'not now', at: new Date(0).toISOString() }));
};

describe('one service', () => {
  test('carries a run in the name of who asked for it, to its end', async () => {
    here.go();
    const service = here.service('m1');
    await here.ask('r1');
    await service.look();
    await here.until(isOver('r1'));
    await service.look();
    expect(stateOf('r1')).toMatchObject({ ended: { outcome: 'succeeded' }, resumed: [], by: { user: 'anna' } });
    expect(here.acts).toEqual(['r1 a', 'r1 b']);
    expect(await here.claim('r1')).toBeUndefined();
    const said = here.journal.entries.flatMap((entry) => (entry.kind === 'event' ? [entry.event] : []));
    expect(said.filter(({ type }) => type === 'run.message')).toMatchObject([{ message: 'started by anna on m1' }]);
  });

  test('has a look again when its claim is to be renewed, and renews it', async () => {
    const service = here.service('m1');
    await here.ask('r1');
    expect(await service.look()).toBe(here.clock.now() + CLAIM_MS / 3);
    here.clock.advance(CLAIM_MS / 3);
    await service.look();
    expect(Date.parse((await here.claim('r1'))?.owner?.until ?? '')).toBe(here.clock.now() + CLAIM_MS);
    expect(here.starts).toEqual(['m1 r1']);
  });

  test('begins a run once it is approved, and not before', async () => {
    here.go();
    const service = here.service('m1');
    await here.ask('r1', { approval: NEED });
    await service.look();
    expect(here.starts).toEqual([]);
    const { plan } = stateOf('r1');
    await addFact(
      'r1',
      () => ({
        kind: 'approval',
        decision: 'approved',
        plan: plan.hash,
        by: { user: 'bo', host: 'desk' },
        role: 'cto',
      }),
      here,
    );
    await here.until(async () => {
      await service.look();
      return here.starts.length > 0;
    });
    await here.until(isOver('r1'));
    expect(stateOf('r1').ended?.outcome).toBe('succeeded');
  });

  test('ends a run that nobody approved in time, at that time', async () => {
    const service = here.service('m1');
    await here.ask('r1', { approval: NEED });
    here.clock.advance(NEED.expiresMs);
    await service.look();
    expect(stateOf('r1').ended).toMatchObject({ outcome: 'failed', code: 'APPROVAL_EXPIRED' });
    expect(await here.claim('r1')).toBeUndefined();
  });

  test('ends a run that was cancelled before it began, and starts nothing', async () => {
    const service = here.service('m1');
    await here.ask('r1', { approval: NEED });
    await cancelled('r1');
    await service.look();
    expect(stateOf('r1').ended).toMatchObject({ outcome: 'cancelled', reason: 'cancelled by bo: not now' });
    expect(here.starts).toEqual([]);
    expect(await here.records.get('cancel', 'r1')).toBeUndefined();
  });

  test('stops one at work between two steps', async () => {
    const service = here.service('m1');
    await here.ask('r1');
    await service.look();
    await here.until(hasBegun('r1', 'a'));
    await cancelled('r1');
    await here.until(async () => {
      await service.look();
      return (await here.claim('r1'))?.process?.told === true;
    });
    here.go();
    await here.until(isOver('r1'));
    expect(here.acts).toEqual(['r1 a']);
    expect(stateOf('r1').turn).toMatchObject({ cause: 'cancelled', signal: 'SIGTERM' });
  });

  test('carries no more at a time than it may, and one a stack', async () => {
    const service = here.service('m1', { runs: 2 });
    for (const [run, stack] of [
      ['r1', 's1'],
      ['r2', 's1'],
      ['r3', 's2'],
      ['r4', 's3'],
    ] as const)
      await here.ask(run, { stack });
    await service.look();
    expect(here.starts).toEqual(['m1 r1', 'm1 r3']);
    here.go();
    await here.until(async () => {
      await service.look();
      return here.starts.length === 4;
    });
    await here.until(() => ['r1', 'r2', 'r3', 'r4'].every((run) => isOver(run)()));
    expect(here.acts.indexOf('r2 a')).toBeGreaterThan(here.acts.indexOf('r1 b'));
  });

  test('tries again after failures, more and more seldom, and ends in the end what never began', async () => {
    const service = here.service('m1');
    await here.ask('r1');
    here.broken.set('r1', { code: 'CLUSTER_UNREACHABLE', message: 'nobody answers' });
    const began = here.clock.now();
    await here.until(async () => {
      const due = await service.look();
      if (due !== undefined) here.clock.advance(Math.max(0, due - here.clock.now()));
      return isOver('r1')();
    });
    expect(stateOf('r1').ended).toMatchObject({
      outcome: 'failed',
      code: 'CLUSTER_UNREACHABLE',
      reason: 'could not begin: nobody answers',
    });
    expect(here.starts).toHaveLength(7);
    expect(here.clock.now() - began).toBeGreaterThan(200_000);
    expect(here.clock.now() - began).toBeLessThan(QUEUE_MS);
  });

  test('does not try again what no second try changes', async () => {
    const service = here.service('m1');
    await here.ask('r1');
    here.broken.set('r1', { code: 'STACK_INVALID', message: 'line 3' });
    await here.until(async () => {
      await service.look();
      return isOver('r1')();
    });
    expect(here.starts).toHaveLength(1);
    expect(stateOf('r1').ended).toMatchObject({ outcome: 'failed', code: 'STACK_INVALID' });
  });

  test('drops the claim of a run that was never written, after a while', async () => {
    const claim = { stack: 's', by: 'anna', askedAt: new Date(here.clock.now()).toISOString(), failures: 0 };
    await here.records.put('claim', 'r1', 0, stored(claim));
    const service = here.service('m1');
    expect(await service.look()).toBe(here.clock.now() + 60_000);
    here.clock.advance(60_000);
    await service.look();
    expect(await here.claim('r1')).toBeUndefined();
  });
});

describe('several services', () => {
  test('one of them carries a run, however often both look', async () => {
    const both = [here.service('m1'), here.service('m2')];
    await here.ask('r1');
    await Promise.all(both.map(async (service) => await service.look()));
    await here.until(hasBegun('r1', 'a'));
    await Promise.all(both.map(async (service) => await service.look()));
    here.go();
    await here.until(isOver('r1'));
    await Promise.all(both.map(async (service) => await service.look()));
    expect(here.starts).toHaveLength(1);
    expect(here.acts).toEqual(['r1 a', 'r1 b']);
  });

  test('a run is for one that has the file of its stack', async () => {
    here.known['m1'] = ['shop'];
    await here.ask('r1');
    const due = await here.service('m1').look();
    expect([here.starts, due]).toEqual([[], here.clock.now() + QUEUE_MS]);
    expect((await here.claim('r1'))?.owner).toBeUndefined();
    await here.service('m2').look();
    expect(here.starts).toEqual(['m2 r1']);
  });

  test('the process of a service that was killed goes on, and the next service of the machine watches it', async () => {
    await here.ask('r1');
    await here.service('m1').look();
    await here.until(hasBegun('r1', 'a'));
    here.clock.advance(CLAIM_MS);
    const next = here.service('m1');
    await next.look();
    expect(here.starts).toEqual(['m1 r1']);
    here.go();
    await here.until(isOver('r1'));
    await here.until(async () => {
      await next.look();
      return (await here.claim('r1')) === undefined;
    });
    expect(here.acts).toEqual(['r1 a', 'r1 b']);
  });

  test('and takes it over at once where it sees that the one before is gone', async () => {
    await here.ask('r1');
    const first = here.service('m1');
    await first.look();
    await here.until(hasBegun('r1', 'a'));
    here.bury('m1');
    here.kill('m1');
    here.go();
    const next = here.service('m1');
    await here.until(async () => {
      await next.look();
      return (await here.claim('r1'))?.failures === 1;
    });
    expect((await here.claim('r1'))?.owner?.process).toMatchObject({ started: 1 });
  });

  test('a service that ends in order leaves its runs to whoever is next, at once', async () => {
    await here.ask('r1');
    const first = here.service('m1');
    await first.look();
    await first.leave();
    await here.service('m1').look();
    expect((await here.claim('r1'))?.owner).toBeDefined();
    expect(here.starts).toEqual(['m1 r1']);
  });

  test('a run whose machine died is gone on with by another one, and no act is done twice', async () => {
    here.go();
    await here.ask('r1');
    const first = here.service('m1');
    await first.look();
    here.hold();
    await here.until(() => hasBegun('r1', 'a')() || hasBegun('r1', 'b')());
    here.kill('m1');
    here.go();
    const second = here.service('m2');
    await here.until(async () => {
      const due = await second.look();
      if (due !== undefined) here.clock.advance(Math.max(0, due - here.clock.now()));
      return isOver('r1')();
    });
    expect(here.starts).toEqual(['m1 r1', 'm2 r1']);
    expect(stateOf('r1').ended?.outcome).toBe('succeeded');
    expect([...new Set(here.acts)]).toEqual(here.acts);
    expect(stateOf('r1').resumed).toMatchObject([{ by: { user: 'anna', host: 'm2' } }]);
  });

  test('a process that dies alone is started again on its machine', async () => {
    await here.ask('r1');
    const service = here.service('m1');
    await service.look();
    await here.until(hasBegun('r1', 'a'));
    here.kill('m1');
    here.go();
    await here.until(async () => {
      const due = await service.look();
      if (due !== undefined) here.clock.advance(Math.max(0, due - here.clock.now()));
      return isOver('r1')();
    });
    expect(here.starts).toEqual(['m1 r1', 'm1 r1']);
    expect(stateOf('r1').ended?.outcome).toBe('succeeded');
  });
});
