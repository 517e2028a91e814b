import { describe, expect, test } from 'vitest';
import { fold, type JournalFact } from '../../src/journal/index.ts';
import type { ApprovalNeed } from '../../src/model/index.ts';
import type { Claim } from '../../src/service/dispatch/claim.ts';
import { type RunView, runView } from '../../src/service/run-view.ts';
import { aPlan, aStep } from '../rollback/builders.ts';
import { journalOf } from '../support/journal.ts';

const T0 = Date.UTC(2026, 0, 1);
const NEED: ApprovalNeed = { severity: 'SEV-2', roles: ['cto'], when: 'before', count: 1, expiresMs: 3_600_000 };
const BEGUN: JournalFact = { kind: 'step-begin', operation: 'o', step: 'a', attempt: 1 };
const DONE: JournalFact = { kind: 'step-end', operation: 'o', step: 'a', outcome: 'done', message: 'as it should be' };
const CLAIM: Claim = { stack: 'medical-kg', by: 'anna', askedAt: new Date(T0).toISOString(), failures: 0 };
const PROCESS = { machine: 'm', pid: 1, started: 1, since: 1, done: 0 };

function viewOf(
  facts: readonly JournalFact[],
  part: { claim?: Claim; ms?: number; need?: ApprovalNeed } = {},
): RunView {
  const { claim, ms = 1_000, need } = part;
  const plan = aPlan({ steps: [aStep('a', 'frozen')], ...(need === undefined ? {} : { approval: need }) });
  const state = fold(journalOf([{ kind: 'run-created', plan, by: { user: 'ada', host: 'desk' } }, ...facts]));
  return runView(state, { now: T0 + ms, ...(claim === undefined ? {} : { claim }) });
}

describe('where a run is', () => {
  test.each<[string, readonly JournalFact[], Parameters<typeof viewOf>[1], RunView['state']]>([
    ['waits for people', [], { claim: CLAIM, need: NEED }, 'waiting'],
    ['waits for its turn', [], { claim: CLAIM }, 'queued'],
    ['has a process', [], { claim: { ...CLAIM, process: PROCESS } }, 'running'],
    ['works', [BEGUN], { claim: { ...CLAIM, process: PROCESS } }, 'running'],
    ['is gone on with in a moment', [BEGUN], { claim: CLAIM }, 'running'],
    ['is stuck', [BEGUN], { claim: { ...CLAIM, stuck: true } }, 'unfinished'],
    ['works where no service sees it', [BEGUN], {}, 'running'],
    ['was cut off where no service sees it', [BEGUN], { ms: 3_600_000 }, 'unfinished'],
    ['is over', [{ kind: 'run-ended', outcome: 'succeeded' }], {}, 'ended'],
  ])('%s', (_name, facts, part, state) => {
    expect(viewOf(facts, part).state).toBe(state);
  });
});

test('a step has its times, and what was found', () => {
  expect(viewOf([BEGUN, DONE]).steps).toEqual([
    expect.objectContaining({
      id: 'a',
      phase: 'frozen',
      status: 'done',
      message: 'as it should be',
      startedAt: '2026-01-01T00:00:01.000Z',
      endedAt: '2026-01-01T00:00:02.000Z',
    }),
  ]);
});

test('a run that is stuck says why, and nothing of how that was judged', () => {
  const problem = { code: 'KEY_MISSING', message: 'set SIGN', isFinal: true } as const;
  const { carried } = viewOf([BEGUN], { claim: { ...CLAIM, stuck: true, problem } });
  expect(carried).toEqual({ by: 'anna', stuck: true, problem: { code: 'KEY_MISSING', message: 'set SIGN' } });
});

test('one that ended mixed says how it goes on', () => {
  const ended = viewOf([BEGUN, { kind: 'run-ended', outcome: 'mixed', reason: 'it broke', code: 'HOOK_FAILED' }]);
  expect(ended).toMatchObject({ exitCode: 4, next: 'backstay resume r1', reason: 'it broke', code: 'HOOK_FAILED' });
});

test('one that was watched afterwards says what came', () => {
  const event = { run: 'r1', stack: 'medical-kg', sequence: 1, time: '2026-01-01T00:00:02.000Z' };
  const { observation } = viewOf([
    BEGUN,
    { kind: 'run-ended', outcome: 'succeeded' },
    {
      kind: 'event',
      event: { ...event, type: 'observation.started', until: '2026-01-01T00:30:00.000Z', subjects: ['logs'] },
    },
  ]);
  expect(observation).toMatchObject({ until: '2026-01-01T00:30:00.000Z', subjects: [{ name: 'logs', findings: [] }] });
});
