import { describe, expect, test } from 'vitest';
import { resume } from '../../src/actions/resume.ts';
import { rollback, type RollbackDeps } from '../../src/actions/rollback.ts';
import { type KubeObject, keyOf, refOf } from '../../src/model/index.ts';
import { aPlan, aStack, fakeClock } from '../rollback/builders.ts';
import { memoryJournal } from '../rollback/memory-journal.ts';
import { journalOf } from '../support/journal.ts';

const DATABASE: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'postgres', namespace: 'production' },
  spec: { template: { metadata: { labels: { app: 'pg' } } } },
};
const LIVE: Readonly<Record<string, readonly KubeObject[]>> = {
  Service: [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'db', namespace: 'production' },
      spec: { selector: { app: 'pg' } },
    },
  ],
  Pod: [],
};
const PLAN = aPlan({
  changes: [
    { key: keyOf(DATABASE), ref: refOf(DATABASE), action: 'restart', fields: [], takesOver: [], live: DATABASE },
  ],
});

/** Only what is asked before anything happens; whoever goes on meets a port that is not there. */
function depsWith(host: string, journal = memoryJournal(), snapshots?: string): RollbackDeps {
  const asked = {
    stack: aStack(),
    clock: fakeClock(),
    journal,
    journalName: `postgres://${host}:5432/journal`,
    journalAddress: { host, port: 5432, database: 'journal' },
    ...(snapshots === undefined ? {} : { snapshotsAddress: { host: snapshots, port: 5432, database: 'snapshots' } }),
    by: { user: 'ada', host: 'laptop' },
    cluster: {
      kindOf: async (_version: string, kind: string) => ({ kind }),
      list: async ({ kind }: { readonly kind: string }) => ({ items: LIVE[kind], resourceVersion: '1' }),
    },
  };
  return asked as unknown as RollbackDeps;
}

describe('a journal inside what is taken back', () => {
  const refusal = {
    code: 'JOURNAL_INSIDE',
    message: expect.stringContaining('statefulset/postgres, which the plan would restart'),
    details: { journal: 'postgres://db.production.svc:5432/journal' },
  };

  test('is refused before a run is begun', async () => {
    const journal = memoryJournal();
    await expect(rollback({ plan: PLAN }, depsWith('db.production.svc', journal))).rejects.toMatchObject(refusal);
    expect(journal.entries).toEqual([]);
  });

  test('is refused before a run is gone on with', async () => {
    const journal = memoryJournal(journalOf([{ kind: 'run-created', plan: PLAN, by: { user: 'ada', host: '-' } }]));
    await expect(resume({ run: 'r1' }, depsWith('db.production.svc', journal))).rejects.toMatchObject(refusal);
    expect(journal.entries).toHaveLength(1);
  });

  test('is no reason to refuse where it lies elsewhere', async () => {
    await expect(rollback({ plan: PLAN }, depsWith('db.elsewhere.svc'))).rejects.not.toMatchObject({
      code: 'JOURNAL_INSIDE',
    });
  });
});

describe('snapshots inside what is taken back', () => {
  test('are refused before a run is begun', async () => {
    const journal = memoryJournal();
    const deps = depsWith('db.elsewhere.svc', journal, 'db.production.svc');
    await expect(rollback({ plan: PLAN }, deps)).rejects.toMatchObject({
      code: 'SNAPSHOTS_INSIDE',
      message: expect.stringContaining('statefulset/postgres, which the plan would restart'),
      details: { host: 'db.production.svc', database: 'snapshots' },
    });
    expect(journal.entries).toEqual([]);
  });

  test('are no reason to refuse where they lie elsewhere', async () => {
    const deps = depsWith('db.elsewhere.svc', memoryJournal(), 'snapshots.elsewhere.svc');
    await expect(rollback({ plan: PLAN }, deps)).rejects.not.toMatchObject({ code: 'SNAPSHOTS_INSIDE' });
  });
});
