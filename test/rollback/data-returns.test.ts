import { describe, expect, test } from 'vitest';
import { fold, type JournalFact } from '../../src/journal/index.ts';
import type { Step, StepAction } from '../../src/model/index.ts';
import { decide } from '../../src/rollback/index.ts';
import { journalOf } from '../support/journal.ts';
import { aPlan, aStep } from './builders.ts';

const writers = { workloads: [], stores: ['main'] } as const;
const closed = {
  flag: 'CLOSED',
  object: { apiVersion: 'v1', kind: 'ConfigMap', name: 'web' },
  place: { kind: 'key', key: 'CLOSED' },
  on: 'true',
  off: 'false',
  workloads: [],
} as const;
const there = (phase: Step['phase'], action: StepAction, reverse: StepAction): Step =>
  aStep(action.kind, phase, { action, reverse });

/** What a plan that moves data is made of, with the hook that tells whether a change of objects is among it. */
const STEPS: readonly Step[] = [
  there('quiesced', { kind: 'maintenance-on', ...closed }, { kind: 'maintenance-off', ...closed }),
  there('quiesced', { kind: 'quiesce-writers', ...writers }, { kind: 'resume-writers', ...writers }),
  there('restored', { kind: 'db-swap', store: 'main' }, { kind: 'db-unswap', store: 'main' }),
  there('resumed', { kind: 'resume-writers', ...writers }, { kind: 'quiesce-writers', ...writers }),
  there('resumed', { kind: 'maintenance-off', ...closed }, { kind: 'maintenance-on', ...closed }),
  aStep('checks-after', 'validated', { action: { kind: 'checks', when: 'after', names: ['health'] } }),
];

/** Plays the run by what it decides: every step is done but the one that fails. Gives the way back, step by step. */
function played(steps: readonly Step[], fails: string): { readonly back: readonly string[]; readonly outcome: string } {
  const facts: JournalFact[] = [{ kind: 'run-created', plan: aPlan({ steps }), by: { user: 'ada', host: 'laptop' } }];
  const back: string[] = [];
  for (let turns = 0; turns < 60; turns += 1) {
    const command = decide(fold(journalOf(facts)));
    switch (command.kind) {
      case 'enter':
        facts.push({ kind: 'phase-entered', phase: command.phase });
        break;
      case 'turn': {
        const { kind: _, ...turn } = command;
        facts.push({ kind: 'direction', ...turn });
        break;
      }
      case 'step': {
        const { step, attempt, reverse } = command;
        const operation = `${step.id} ${reverse} ${attempt}`;
        const way = reverse ? ({ reverse: true } as const) : {};
        if (reverse) back.push(step.reverse?.kind ?? '');
        facts.push({ kind: 'step-begin', step: step.id, operation, attempt, ...way });
        const isFailing = step.id === fails && !reverse;
        // Whoever finds out that something is wrong has changed nothing by that.
        const end = isFailing ? ({ outcome: 'failed', touched: false } as const) : ({ outcome: 'done' } as const);
        facts.push({ kind: 'step-end', step: step.id, operation, ...end, ...way });
        break;
      }
      case 'end':
        return { back, outcome: command.outcome };
      default:
        throw new TypeError(command.kind);
    }
  }
  throw new TypeError('it never ends');
}

describe('a run that moved data', () => {
  test('stops what writes and closes once more before it takes the data back', () => {
    expect(played(STEPS, 'checks-after')).toEqual({
      outcome: 'failed',
      back: ['maintenance-on', 'quiesce-writers', 'db-unswap', 'resume-writers', 'maintenance-off'],
    });
  });

  test.each([
    ['maintenance-on', []],
    ['quiesce-writers', ['maintenance-off']],
    ['db-swap', ['resume-writers', 'maintenance-off']],
  ])('gives back what it has stopped when %s fails', (id, back) => {
    expect(played(STEPS, id)).toEqual({ outcome: 'failed', back });
  });

  test('stays where it is, closed, when objects were changed as well', () => {
    const steps = STEPS.toSpliced(3, 0, aStep('apply', 'applied', { action: { kind: 'apply' } }));
    expect(played(steps, 'checks-after')).toEqual({ outcome: 'mixed', back: [] });
  });
});
