import { join } from 'node:path';
import { createSqliteJournal } from '../../src/adapters/sqlite/index.ts';
import { fold, JOURNAL_FORMAT, type JournalEntry, type JournalFact, linkOf } from '../../src/journal/index.ts';
import { digestOf, type Plan } from '../../src/model/index.ts';
import type { Bench } from './bench.ts';
import { sampled } from './figure.ts';

const ENTRIES = 10_000;
const FACTS = 300;
const ROUNDS = 5;

export const journal: Bench = {
  name: 'journal',
  what: `appending to a journal, and folding ${ENTRIES} entries`,
  async measure({ home, say }) {
    const file = join(home.dir, 'bench', 'journal.sqlite');
    const store = await createSqliteJournal({ file });
    say(`${FACTS} durable entries, then events up to ${ENTRIES}`);
    const entries = recordedRun();
    const durable: number[] = [];
    for (const entry of entries) {
      const began = performance.now();
      await store.append(entry);
      if (entry.kind !== 'event') durable.push(performance.now() - began);
    }
    const [reads, folds]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      say(`read and fold, ${round + 1} of ${ROUNDS}`);
      const began = performance.now();
      const found = await store.read('r1');
      const read = performance.now();
      fold(found);
      reads.push(read - began);
      folds.push(performance.now() - read);
    }
    await store.close();
    const many = ENTRIES.toLocaleString('en');
    return {
      figures: [
        sampled({ name: 'journal.append', what: 'a durable entry in SQLite', unit: 'ms', atMost: 2 }, durable),
        sampled(
          { name: 'journal.fold', what: `folding ${many} entries that were read`, unit: 'ms', atMost: 100 },
          folds,
        ),
        sampled({ name: 'journal.read', what: `reading and proving ${many} entries`, unit: 'ms' }, reads),
      ],
    };
  },
};

const BY = { user: 'ada', host: 'laptop' };

/** As of a large run: its facts, and between them the progress of its objects. */
function recordedRun(): readonly JournalEntry[] {
  const facts: JournalFact[] = [{ kind: 'run-created', plan: emptyPlan('bench'), by: BY }];
  for (let i = 0; facts.length < ENTRIES; i++) {
    const isFact = i < FACTS;
    facts.push(isFact ? { kind: 'noted', by: BY, topic: 'impact', text: `note ${i}` } : progressOf(i));
  }
  const entries: JournalEntry[] = [];
  for (const [i, fact] of facts.entries()) {
    const last = entries.at(-1);
    entries.push({
      format: JOURNAL_FORMAT,
      ...(last === undefined ? {} : { previous: linkOf(last) }),
      run: 'r1',
      stack: 'bench',
      sequence: i + 1,
      time: new Date(Date.UTC(2026, 0, 1) + i).toISOString(),
      ...fact,
    });
  }
  return entries;
}

/** What a run tells of one of its objects. */
export function progressOf(i: number, run = 'r1'): JournalFact {
  const object = `apps/Deployment/production/workload-${i % 50}`;
  return {
    kind: 'event',
    event: {
      run,
      stack: 'bench',
      sequence: i + 1,
      time: new Date(Date.UTC(2026, 0, 1) + i).toISOString(),
      type: 'object.progress',
      object,
      state: 'waiting',
      message: `${i % 3} of 3 pods are ready`,
    },
  };
}

/** A plan that changes nothing. */
export function emptyPlan(stack: string): Plan {
  const content: Omit<Plan, 'hash'> = {
    apiVersion: 'backstay.dev/v1',
    kind: 'Plan',
    stack,
    clusterUid: 'bench',
    createdAt: '2026-01-01T00:00:00.000Z',
    scope: { kind: 'full' },
    target: { id: digestOf('target'), said: 'v1', labels: ['v1'] },
    live: digestOf('live'),
    changes: [],
    desired: [],
    steps: [],
    warnings: [],
    risk: 'low',
    options: {
      emergency: false,
      skipValidation: false,
      validateBefore: false,
      exactReplicas: false,
      allowClusterMismatch: false,
      allowUnsigned: false,
      takeFrom: [],
      deleteProtected: false,
      hold: false,
      allowUnknownImages: false,
    },
  };
  return { ...content, hash: digestOf(content) };
}
