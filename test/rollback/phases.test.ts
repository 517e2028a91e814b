import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runPage, withTables } from '../../scripts/phases-doc.ts';
import { fold, type JournalFact, type RunState } from '../../src/journal/index.ts';
import { PHASES, type Phase, type Plan } from '../../src/model/index.ts';
import { decide, type Exit, type Outside, PHASE_TABLE, type PhaseRow } from '../../src/rollback/index.ts';
import { journalOf } from '../support/journal.ts';
import { aPlan, aStep, OPTIONS } from './builders.ts';

const BY = { user: 'ada', host: 'laptop' };
const RETURN = { reverse: { kind: 'return-before' } } as const;

interface Case {
  /** How the step of the phase stands. */
  readonly step: 'pending' | 'done' | 'failed' | 'untouched';
  /** An earlier step changed objects. */
  readonly changed: boolean;
  readonly onInvalid: 'halt' | 'return';
  readonly skipValidation: boolean;
  readonly outside: Outside;
}

/** Every situation that a run can be in with one step in the phase, and one after it unless it is the last. */
const CASES: readonly Case[] = (['pending', 'done', 'failed', 'untouched'] as const).flatMap((step) =>
  [true, false].flatMap((changed) =>
    (['halt', 'return'] as const).flatMap((onInvalid) =>
      [true, false].flatMap((skipValidation) =>
        [{}, { stop: 'SIGINT' }, { leaseLost: 'bob has it' }].map((outside) => ({
          step,
          changed,
          onInvalid,
          skipValidation,
          outside,
        })),
      ),
    ),
  ),
);

function stateIn(phase: Phase, { step, changed, onInvalid, skipValidation }: Case): RunState {
  const isPast = PHASES.indexOf(phase) >= PHASES.indexOf('applied');
  const plan: Plan = aPlan({
    onInvalid,
    options: { ...OPTIONS, skipValidation },
    steps: [
      ...(isPast ? [aStep('earlier', 'applied', RETURN)] : []),
      aStep('own', phase),
      ...(phase === 'completed' ? [] : [aStep('later', 'completed')]),
    ],
  });
  const done = (id: string, outcome: 'done' | 'failed', touched?: false): JournalFact[] => [
    { kind: 'step-begin', step: id, operation: id, attempt: 1 },
    { kind: 'step-end', step: id, operation: id, outcome, ...(touched === undefined ? {} : { touched }) },
  ];
  const facts: JournalFact[] = [{ kind: 'run-created', plan, by: BY }];
  if (isPast)
    facts.push({ kind: 'phase-entered', phase: 'applied' }, ...done('earlier', 'done', changed ? undefined : false));
  facts.push({ kind: 'phase-entered', phase });
  if (step !== 'pending')
    facts.push(...done('own', step === 'done' ? 'done' : 'failed', step === 'untouched' ? false : undefined));
  return fold(journalOf(facts));
}

function exitOf(state: RunState, outside: Outside): Exit | undefined {
  const command = decide(state, outside);
  switch (command.kind) {
    case 'enter':
      return 'next';
    case 'turn':
      return command.direction;
    case 'end':
      return command.outcome;
    case 'wait':
      return 'wait';
    // Still in it.
    case 'step':
    case 'ended':
      return undefined;
  }
}

describe('the table of phases', () => {
  test.each(PHASES.filter((phase) => phase !== 'planned'))('names every way out of %s, and no other', (phase) => {
    const seen = CASES.map((one) => exitOf(stateIn(phase, one), one.outside)).filter((exit) => exit !== undefined);
    expect(new Set(seen)).toEqual(new Set(Object.keys(PHASE_TABLE[phase].leaves)));
  });

  test('names every way out of planned, where nothing is done but waiting', () => {
    const need = { severity: 'SEV-1', roles: ['lead'], count: 1, when: 'before', expiresMs: 60_000 } as const;
    const planned = (approval: boolean, ...facts: readonly JournalFact[]): RunState => {
      const plan = aPlan({ steps: [aStep('lease', 'locked')], ...(approval ? { approval: need } : {}) });
      const said = facts.map((fact) => (fact.kind === 'approval' ? { ...fact, plan: plan.hash } : fact));
      return fold(journalOf([{ kind: 'run-created', plan, by: BY }, ...said]));
    };
    const denied = { kind: 'approval', decision: 'denied', by: { user: 'bo', host: '-' }, role: 'lead' } as const;
    const late = { now: Date.parse('2026-01-02T00:00:00Z') };
    const seen = [
      exitOf(planned(false), {}),
      exitOf(planned(false), { stop: 'SIGINT' }),
      exitOf(planned(true), {}),
      exitOf(planned(true), late),
      exitOf(planned(true, { ...denied, plan: 'sha256:0' }), {}),
    ];
    expect(new Set(seen)).toEqual(new Set(Object.keys(PHASE_TABLE.planned.leaves)));
  });

  test('gives every phase what it holds, which way is safe, and why', () => {
    expect(Object.keys(PHASE_TABLE)).toEqual([...PHASES]);
    for (const row of Object.values<PhaseRow>(PHASE_TABLE)) {
      expect(row.holds).not.toBe('');
      expect(row.because).not.toBe('');
    }
  });

  test('is what docs/architecture/run.md shows (npm run docs:phases writes it)', () => {
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'architecture', 'run.md'), 'utf8');
    expect(page).toBe(withTables(page));
    expect(page).toContain(runPage().diagram);
    expect(page).toContain(runPage().table);
  });

  test('is missed where a page lost its marks', () => {
    expect(() => withTables('# A page\n')).toThrow('phases:begin');
  });
});
