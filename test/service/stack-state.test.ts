import { describe, expect, it } from 'vitest';
import { fold, type JournalFact } from '../../src/journal/index.ts';
import type { ApprovalNeed } from '../../src/model/index.ts';
import { type Carried, stateOf } from '../../src/service/stacks/state.ts';
import { aPlan, aStep } from '../rollback/builders.ts';
import { journalOf } from '../support/journal.ts';

const need: ApprovalNeed = { severity: 'SEV-2', roles: ['cto'], when: 'before', count: 1, expiresMs: 3_600_000 };
const by = { user: 'ada', host: 'laptop' };
const runOf = (approval: ApprovalNeed | undefined, ...facts: readonly JournalFact[]) => {
  const plan = aPlan({ steps: [aStep('a', 'locked')], ...(approval === undefined ? {} : { approval }) });
  return fold(journalOf([{ kind: 'run-created', plan, by }, ...facts]));
};
const begun: JournalFact = { kind: 'step-begin', operation: 'o', step: 'a', attempt: 1 };
const ended = (outcome: 'succeeded' | 'mixed' | 'failed'): JournalFact => ({ kind: 'run-ended', outcome });
/** Milliseconds after the journal's first entry, which are a second apart. */
const at = (ms: number, claimed = false): Carried => ({ now: Date.UTC(2026, 0, 1) + ms, claimed, leaseMs: 30_000 });

describe('the state of a stack', () => {
  it.each([
    ['no run was ever made', undefined, at(0), 'idle'],
    ['the last run succeeded', runOf(undefined, begun, ended('succeeded')), at(5_000), 'idle'],
    ['the last run failed', runOf(undefined, ended('failed')), at(5_000), 'idle'],
    ['a run waits for approval', runOf(need), at(5_000), 'waiting'],
    ['a run waits, and a service has claimed it', runOf(need), at(5_000, true), 'waiting'],
    ['its approval ran out, and nobody carries it', runOf(need), at(3_600_001), 'unfinished'],
    ['a service carries it', runOf(undefined, begun), at(3_600_000, true), 'running'],
    ['a command carries it, by its last sign', runOf(undefined, begun), at(20_000), 'running'],
    ['nothing was heard of it for longer than a lease', runOf(undefined, begun), at(40_000), 'unfinished'],
    ['it ended part of the way', runOf(undefined, begun, ended('mixed')), at(5_000), 'unfinished'],
    [
      'it ended part of the way and is gone on with',
      runOf(undefined, begun, ended('mixed')),
      at(5_000, true),
      'running',
    ],
  ] as const)('where %s', (_, state, carried, expected) => {
    expect(stateOf(state, carried)).toBe(expected);
  });
});
