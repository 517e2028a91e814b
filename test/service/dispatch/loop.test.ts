import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import { fold, type RunState } from '../../../src/journal/index.ts';
import { addFact } from '../../../src/rollback/index.ts';
import { stored } from '../../../src/service/dispatch/claim.ts';
import { dispatch } from '../../../src/service/dispatch/loop.ts';
import { RunFeeds } from '../../../src/service/feeds.ts';
import type { LoopDeps } from '../../../src/service/loops.ts';
import { type Machines, machines } from './machines.ts';

/** The loop by a real clock: what it is told of it does at once, long before a claim has to be renewed. */
describe('the loop that carries runs', { timeout: 60_000 }, () => {
  let here: Machines;
  let stop: AbortController;
  let done: Promise<void>;
  const start = (part: Partial<LoopDeps> = {}): void => {
    const deps = {
      ...here.depsOf('m1'),
      settings: { limits: { runs: 4 } },
      log: () => undefined,
      feeds: new RunFeeds(here.journal),
    };
    done = dispatch.start({ ...deps, ...part } as unknown as LoopDeps, stop.signal);
  };
  const stateOf = (run: string): RunState | undefined => {
    const entries = here.journal.entries.filter((entry) => entry.run === run);
    return entries.length === 0 ? undefined : fold(entries);
  };
  const isOver = (run: string) => (): boolean => stateOf(run)?.ended !== undefined;

  beforeEach(async () => {
    here = await machines({ ...createSystemClock(), advance: () => undefined });
    stop = new AbortController();
    here.go();
  });
  afterEach(async () => {
    stop.abort();
    await done.catch(() => undefined);
    await here.close();
  });

  test('begins what is asked for, drops what is over, and ends when it is told to', async () => {
    await here.ask('r1');
    start();
    await here.until(isOver('r1'));
    await here.ask('r2');
    await here.until(isOver('r2'));
    await here.until(async () => (await here.records.list('claim')).length === 0);
    stop.abort();
    await done;
    expect(here.starts).toEqual(['m1 r1', 'm1 r2']);
  });

  test('hears of an approval, and of a cancel', async () => {
    const approval = { severity: 'SEV-2', roles: ['cto'], when: 'before', count: 1, expiresMs: 3_600_000 } as const;
    start();
    for (const run of ['r1', 'r2']) await here.ask(run, { approval, stack: run });
    await here.ask('r3', { stack: 'r3' });
    await here.until(isOver('r3'));
    expect(here.starts).toEqual(['m1 r3']);
    const by = { user: 'bo', host: 'desk' };
    await addFact(
      'r1',
      ({ plan }) => ({ kind: 'approval', decision: 'approved', plan: plan.hash, by, role: 'cto' }),
      here,
    );
    await here.records.put('cancel', 'r2', 0, stored({ by: 'bo', reason: 'not now', at: new Date().toISOString() }));
    await here.until(() => isOver('r1')() && isOver('r2')());
    expect([stateOf('r1')?.ended?.outcome, stateOf('r2')?.ended?.outcome]).toEqual(['succeeded', 'cancelled']);
    expect(here.starts).toEqual(['m1 r3', 'm1 r1']);
  });

  test('hears of a process that died, and tries again in a while', async () => {
    here.hold();
    await here.ask('r1');
    start();
    await here.until(() => stateOf('r1')?.steps.get('a')?.status === 'begun');
    here.kill('m1');
    await here.until(async () => (await here.claim('r1'))?.failures === 1);
    here.go();
    await here.until(isOver('r1'));
    expect(here.starts).toEqual(['m1 r1', 'm1 r1']);
  });

  test('leaves its claims behind, to be taken at once', async () => {
    here.hold();
    await here.ask('r1');
    start();
    await here.until(() => stateOf('r1')?.steps.get('a')?.status === 'begun');
    stop.abort();
    await done;
    const claim = await here.claim('r1');
    expect([claim?.owner, claim?.process?.machine]).toEqual([undefined, 'm1']);
    here.go();
    await here.until(isOver('r1'));
  });

  test('says what breaks it, so that it is started again', async () => {
    start({
      records: {
        ...here.records,
        follow: async function* () {
          yield* [];
          throw new Error('the database is gone');
        },
      },
    });
    await expect(done).rejects.toThrow('the database is gone');
  });
});
