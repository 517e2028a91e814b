import { describe, expect, it } from 'vitest';
import { fold, type JournalFact } from '../../src/journal/index.ts';
import { digestOf, type Json, type StepAction } from '../../src/model/index.ts';
import { proofsOfDrills, proofsOfRun } from '../../src/service/backup-proofs.ts';
import type { Drill } from '../../src/service/drills.ts';
import { aPlan, aStep } from '../rollback/builders.ts';
import { journalOf } from '../support/journal.ts';

const digest = digestOf('data');
const way = { from: null, to: null, steps: [] } as unknown as Extract<StepAction, { kind: 'migrate' }>['way'];
const ID = '20260101-120000-3f9a2c';
const MADE = Date.parse('2026-01-01T12:00:00Z');

interface Done {
  readonly action: StepAction;
  readonly outcome?: 'done' | 'failed' | 'skipped';
  readonly result?: Json;
}

/** What a run that did these steps, one after the other, has proven, without the time. */
const provenBy = (...all: readonly Done[]) => {
  const steps = all.map(({ action }, i) => aStep(`s${i}`, 'restored', { action }));
  const facts = all.flatMap(({ outcome = 'done', result }, i): readonly JournalFact[] => [
    { kind: 'step-begin', operation: `o${i}`, step: `s${i}`, attempt: 1 },
    { kind: 'step-end', operation: `o${i}`, step: `s${i}`, outcome, ...(result === undefined ? {} : { result }) },
  ]);
  const plan = aPlan({ steps });
  const state = fold(journalOf([{ kind: 'run-created', plan, by: { user: 'ada', host: 'here' } }, ...facts]));
  return proofsOfRun(state).map(({ provenAt, ...proof }) => {
    expect(provenAt).toBeGreaterThan(Date.parse(state.startedAt));
    return proof;
  });
};

const backup = (prove: 'read' | 'restored'): Done => ({
  action: { kind: 'db-backup', store: 'main', prove },
  result: { backup: ID, digest },
});
const rehearse: Done = { action: { kind: 'migrate-rehearse', store: 'main', way } };
const restore = (tables?: readonly string[]): Done => ({
  action: { kind: 'db-restore', store: 'main', backup: ID, digest, ...(tables === undefined ? {} : { tables }) },
});
const PROOF = { stack: 'medical-kg', store: 'main', madeAt: MADE };

describe('what a run has proven of backups', () => {
  it.each<[string, readonly Done[], readonly object[]]>([
    ['one that it restored as a proof', [backup('restored')], [PROOF]],
    ['not one that it only read', [backup('read')], []],
    ['one that its rehearsal restored', [backup('read'), rehearse], [PROOF]],
    ['not one whose rehearsal failed', [backup('read'), { ...rehearse, outcome: 'failed' }], []],
    ['one that it restored beside live data', [restore()], [PROOF]],
    ['not the whole by some tables', [restore(['public.documents'])], []],
    ['not one whose restore failed', [{ ...restore(), outcome: 'failed' }], []],
    ['nothing by a step that had nothing to do', [{ ...backup('restored'), outcome: 'skipped' }], []],
    ['nothing without data', [{ action: { kind: 'prove-equal' } }], []],
  ])('%s', (_, done, proven) => {
    expect(provenBy(...done)).toEqual(proven);
  });
});

describe('what drills have proven', () => {
  const drill = (part: Partial<Drill>): Drill => ({
    id: 'd',
    stack: 'shop',
    store: 'main',
    backup: 'latest',
    by: 'schedule:proof',
    startedAt: '2026-02-01T00:00:00.000Z',
    state: 'proven',
    result: {
      kind: 'Backup',
      id: ID,
      proven: 'restored',
      proofs: [
        { proof: 'restored', at: '2026-01-01T12:00:05.000Z', durationMs: 1, message: 'as counted' },
        { proof: 'read', at: '2026-02-01T00:00:08.000Z', durationMs: 1, message: 'as written' },
        { proof: 'restored', at: '2026-02-01T00:00:09.000Z', durationMs: 1, message: 'as counted' },
      ],
    },
    ...part,
  });

  it('is the backup that they restored, at the last time they did', () => {
    const provenAt = Date.parse('2026-02-01T00:00:09Z');
    expect(proofsOfDrills([drill({})])).toEqual([{ stack: 'shop', store: 'main', madeAt: MADE, provenAt }]);
  });

  it.each<[string, Partial<Drill>]>([
    ['runs', { state: 'running' }],
    ['failed', { state: 'failed' }],
    ['was lost', { state: 'lost' }],
    ['says nothing of when', { result: { kind: 'Backup', id: ID, proven: 'restored' } }],
  ])('is nothing where one %s', (_, part) => {
    expect(proofsOfDrills([drill(part)])).toEqual([]);
  });

  it('is told without when it was made, where its id does not say', () => {
    const result = { ...(drill({}).result as object), id: 'by-hand' };
    expect(proofsOfDrills([drill({ result })])).toEqual([expect.not.objectContaining({ madeAt: expect.anything() })]);
  });
});
