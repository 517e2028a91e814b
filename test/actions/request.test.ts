import { beforeEach, describe, expect, test } from 'vitest';
import { type RequestDeps, type RequestOptions, requestRun } from '../../src/actions/request.ts';
import { fold, type JournalFact, type RunState } from '../../src/journal/index.ts';
import type { ApprovalNeed } from '../../src/model/index.ts';
import { aPlan, aStack, aStep, fakeClock } from '../rollback/builders.ts';
import { memoryJournal } from '../rollback/memory-journal.ts';
import { type MemoryLock, memoryLock } from '../rollback/memory-lock.ts';
import { actionOf } from '../rollback/world.ts';
import { journalOf } from '../support/journal.ts';

const NEED: ApprovalNeed = { severity: 'SEV-2', roles: ['cto'], when: 'before', count: 1, expiresMs: 3_600_000 };
const STEPS = [aStep('a', 'frozen', { action: actionOf('resume-writers') })];
const PLAN = aPlan({ steps: STEPS });
const BEGUN: JournalFact = { kind: 'step-begin', operation: 'o', step: 'a', attempt: 1 };

let journal: ReturnType<typeof memoryJournal>;
let lock: MemoryLock;
beforeEach(() => {
  journal = memoryJournal();
  lock = memoryLock();
});

const request = async (part: Partial<RequestOptions> = {}) =>
  await requestRun({ plan: PLAN, run: 'r9', ...part }, {
    stack: aStack(),
    by: { user: 'anna', host: 'page' },
    journal,
    journalName: 'memory',
    lock,
    clock: fakeClock(),
    reporter: { report: () => undefined },
    store: { list: async () => [] },
  } as unknown as RequestDeps);
const stateOf = (run: string): RunState => fold(journal.entries.filter((entry) => entry.run === run));

async function past(run: string, facts: readonly JournalFact[]): Promise<void> {
  const begin: JournalFact = { kind: 'run-created', plan: PLAN, by: { user: 'ada', host: 'desk' } };
  for (const entry of journalOf([begin, ...facts], run)) await journal.append(entry);
}

/** A run that had the stack and left word that something is to be done. */
async function leftBy(run: string): Promise<void> {
  const held = await lock.acquire('medical-kg', { run, journal: 'memory', user: 'ada', host: 'desk' });
  await held.release(true);
}

describe('asking for a run', () => {
  test('journals it, and holds nothing', async () => {
    expect(await request({ trigger: 'pipeline' })).toEqual({ kind: 'created', run: 'r9', state: 'queued' });
    expect(stateOf('r9')).toMatchObject({ trigger: 'pipeline', by: { user: 'anna' }, leases: [] });
    expect(lock.holder()).toBeUndefined();
  });

  test('says until when it waits for whom', async () => {
    const plan = aPlan({ steps: STEPS, approval: NEED });
    expect(await request({ plan })).toMatchObject({ state: 'waiting', until: '2026-01-01T01:00:00.000Z' });
  });

  test('starts none for a plan that does nothing', async () => {
    expect(await request({ plan: aPlan() })).toMatchObject({ kind: 'nothing-to-do' });
    expect(journal.entries).toEqual([]);
  });

  test('asked again by whoever did not hear the answer, it is the same run', async () => {
    const first = await request();
    expect(await request()).toEqual(first);
    expect(journal.entries.filter(({ kind }) => kind === 'run-created')).toHaveLength(1);
  });

  test('never takes the id of another plan', async () => {
    await request();
    await expect(request({ plan: aPlan({ steps: STEPS, risk: 'high' }) })).rejects.toMatchObject({
      code: 'JOURNAL_BROKEN',
    });
  });

  test('is refused while another run left the stack half way, unless that one is given up by name', async () => {
    await past('r1', [BEGUN]);
    await leftBy('r1');
    await expect(request()).rejects.toMatchObject({ code: 'STACK_UNFINISHED' });
    expect(journal.entries.some(({ run }) => run === 'r9')).toBe(false);
    const abandon = { run: 'r1', reason: 'it is hopeless' };
    expect(await request({ abandon })).toMatchObject({ state: 'queued' });
    expect(stateOf('r9').abandons).toEqual(abandon);
  });

  test('may wait behind one that is at work', async () => {
    await past('r1', [BEGUN]);
    await lock.acquire('medical-kg', { run: 'r1', journal: 'memory', user: 'ada', host: 'desk' });
    expect(await request()).toMatchObject({ state: 'queued' });
  });

  test.each<[string, readonly JournalFact[], string]>([
    ['that there is not', [], 'RUN_UNKNOWN'],
    ['that goes on', [BEGUN], 'RUN_UNFINISHED'],
    ['that changed nothing', [{ kind: 'run-ended', outcome: 'failed' }], 'NOTHING_TO_UNDO'],
  ])('an undo of a run %s is refused', async (_name, facts, code) => {
    if (code !== 'RUN_UNKNOWN') await past('r1', facts);
    await expect(request({ plan: aPlan({ steps: STEPS, undoes: 'r1' }) })).rejects.toMatchObject({ code });
  });

  test('a plan that was altered is refused', async () => {
    await expect(request({ plan: { ...PLAN, risk: 'high' } })).rejects.toMatchObject({ code: 'PLAN_REFUSED' });
    expect(journal.entries).toEqual([]);
  });
});
