import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type FinalizeDeps,
  finalize,
  finalizeExpired,
  kept,
  planExpired,
  planFinalize,
} from '../../src/actions/finalize.ts';
import { NO_OPTIONS } from '../../src/actions/plan.ts';
import { resume } from '../../src/actions/resume.ts';
import type { RollbackDeps, RunEnded } from '../../src/actions/rollback.ts';
import { planUndo, undo } from '../../src/actions/undo.ts';
import { holdOf, type Digest, type PlanOptions, type Sighting } from '../../src/model/index.ts';
import type { JournalStore } from '../../src/ports/index.ts';
import { configMap, secret } from '../support/snapshots.ts';
import { type Running, running, usual } from './running.ts';

/* Taking runs back, and closing the ways back, on a real API server. */

const DAY = 86_400_000;

let here: Running;
let bad: Digest;
let good: Digest;

beforeEach(async () => {
  here = await running(usual);
  await here.put(configMap('settings', { backend: 'mineru' }));
  await here.put(secret('db', { password: 'old' }));
  good = await here.captured('good');
  await here.put(configMap('settings', { backend: 'docling' }));
  await here.put(configMap('extra', { a: 'b' }));
  await here.put(secret('db', { password: 'new' }));
  bad = await here.captured();
});

afterEach(async () => await here.end());

const rolledBack = async (options: Partial<PlanOptions> = {}): Promise<RunEnded> =>
  await here.run(await here.planned({ target: 'good' }, options));
const taken = async (run: string, part: Partial<RollbackDeps> = {}): Promise<RunEnded> => {
  const deps = { ...here.deps, ...part };
  const options = { ...NO_OPTIONS, allowUnknownImages: true, reason: 'it was right after all' };
  return await undo({ plan: (await planUndo({ run, options }, deps)).plan }, deps);
};
const sightings = async (): Promise<readonly Sighting[]> =>
  (await here.place.store.list('demo')).filter((entry) => 'record' in entry);
const heldNow = async (): Promise<unknown> => holdOf(bad, await sightings());
const closing = (): FinalizeDeps => ({ ...here.deps, cluster: async () => here.cluster });
/** As time passes for retentions. */
const later = (ms: number): FinalizeDeps => ({
  ...closing(),
  clock: { ...here.deps.clock, now: () => Date.now() + ms },
});

describe('undoing a run', () => {
  test('brings back what was before, lets the held version go, and is told in both journals', async () => {
    const first = await rolledBack();
    expect(first.undo).toBe(`backstay undo ${first.run}`);
    expect(await heldNow()).toMatchObject({ run: first.run });
    const second = await taken(first.run);
    expect(second).toMatchObject({ outcome: 'succeeded', exitCode: 0 });
    expect(await here.captured()).toBe(bad);
    expect(await heldNow()).toBeUndefined();
    expect(await here.stateOf(second.run)).toMatchObject({ undoes: first.run, plan: { undoes: first.run } });
    expect(await here.stateOf(first.run)).toMatchObject({ undone: { byRun: second.run, by: { user: 'ada' } } });
    // The undo held nothing itself, so it can be undone in turn; the first one cannot a second time.
    expect(
      (await sightings()).flatMap(({ record }) => (record.reason === 'relabel' ? (record.held ?? []) : [])),
    ).toHaveLength(1);
    await expect(taken(first.run)).rejects.toMatchObject({
      code: 'ALREADY_UNDONE',
      next: expect.stringContaining(`backstay undo ${second.run}`),
    });
    expect(await taken(second.run)).toMatchObject({ outcome: 'succeeded' });
    expect(await here.captured()).toBe(good);
  });

  test('gives up a run that ended mixed', async () => {
    here.health = 503;
    const first = await rolledBack();
    expect(first).toMatchObject({
      outcome: 'mixed',
      next: `backstay resume ${first.run}`,
      undo: `backstay undo ${first.run}`,
    });
    here.health = 200;
    const second = await taken(first.run);
    expect(second).toMatchObject({ outcome: 'succeeded' });
    expect(await here.captured()).toBe(bad);
    expect(await here.stateOf(first.run)).toMatchObject({
      ended: { outcome: 'abandoned' },
      undone: { byRun: second.run },
    });
    expect(await resume({ run: first.run }, here.deps)).toMatchObject({ outcome: 'abandoned' });
    expect(await here.captured()).toBe(bad);
  });

  test('changes nothing where somebody brought everything back already, and still lets go', async () => {
    const first = await rolledBack();
    await here.put(configMap('settings', { backend: 'docling' }));
    await here.put(configMap('extra', { a: 'b' }));
    await here.put(secret('db', { password: 'new' }));
    const second = await taken(first.run);
    expect(second).toMatchObject({ outcome: 'succeeded' });
    expect(here.asked()).toEqual(['/pause', '/resume']);
    expect(await heldNow()).toBeUndefined();
    expect(await here.stateOf(first.run)).toMatchObject({ undone: { byRun: second.run } });
  });

  test('is refused after a later run, and names it', async () => {
    const first = await rolledBack();
    const release = await here.run(await here.planned({ target: bad }, { hold: false, allowHeld: true }));
    expect(release.outcome).toBe('succeeded');
    await expect(taken(first.run)).rejects.toMatchObject({
      code: 'RUN_OVERTAKEN',
      message: expect.stringContaining(release.run),
    });
  });

  test.each(['release-hold', 'record-after', 'apply'])('killed at %s goes on, and lets go once', async (step) => {
    const first = await rolledBack();
    const dying: JournalStore = {
      ...here.deps.journal,
      append: async (entry) => {
        if (entry.kind === 'step-end' && entry.step === step && entry.run !== first.run) throw new Error('killed');
        await here.deps.journal.append(entry);
      },
    };
    await expect(taken(first.run, { journal: dying })).rejects.toThrow('killed');
    const [cut] = await here.deps.journal.runs('demo');
    expect(await resume({ run: cut?.run ?? '' }, here.deps)).toMatchObject({ outcome: 'succeeded' });
    expect(await here.captured()).toBe(bad);
    const facts = (await here.deps.journal.read(first.run)).filter(({ kind }) => kind === 'undone');
    expect(facts).toHaveLength(1);
    expect((await sightings()).filter(({ record }) => record.note?.includes('was undone by'))).toHaveLength(1);
  });

  test("is a person's act, and no automatic rollback takes one back", async () => {
    const first = await rolledBack();
    const { rollback } = await import('../../src/actions/rollback.ts');
    const back = await here.planned({ target: bad });
    await expect(rollback({ plan: back, trigger: 'alert' }, here.deps)).rejects.toMatchObject({
      code: 'PERSON_NEEDED',
      message: expect.stringContaining(first.run),
    });
    const { plan } = await planUndo(
      { run: first.run, options: { ...NO_OPTIONS, allowUnknownImages: true } },
      here.deps,
    );
    await expect(rollback({ plan, trigger: 'pipeline' }, here.deps)).rejects.toMatchObject({ code: 'PERSON_NEEDED' });
    expect(await here.deps.journal.runs('demo')).toHaveLength(1);
    expect(await rollback({ plan, trigger: 'person' }, here.deps)).toMatchObject({ outcome: 'succeeded' });
  });
});

describe('finalizing a run', () => {
  /** A release holds nothing, so what was before it is kept for undoing alone. */
  const released = async (): Promise<{ readonly run: string; readonly before: Digest }> => {
    await here.put(configMap('settings', { backend: 'seen by nobody else' }));
    const ended = await here.run(await here.planned({ target: 'good' }, { hold: false }));
    expect(ended.outcome).toBe('succeeded');
    const before = ended.report?.report.snapshots.before;
    if (before === undefined) throw new TypeError('there is no snapshot of before');
    return { run: ended.run, before };
  };

  test('removes what was kept for undoing alone, and undo then says so', async () => {
    const { run, before } = await released();
    const row = (await kept(closing())).find(({ id }) => id === before);
    expect(row?.reasons.map(({ because }) => because)).toEqual(['undo', 'seen', 'newest']);
    expect(await planFinalize(run, closing())).toMatchObject({ kind: 'open', removes: [{ id: before }], stays: [] });
    const done = await finalize(run, closing());
    expect(done).toMatchObject({ run, removed: [before], bytes: row?.bytes, given: [], left: [] });
    await expect(here.place.store.get('demo', before)).rejects.toMatchObject({ code: 'SNAPSHOT_REMOVED' });
    expect((await here.place.store.verify('demo')).every(({ ok }) => ok)).toBe(true);
    expect(await here.stateOf(run)).toMatchObject({
      finalized: { because: 'person', by: { user: 'ada' }, removed: [`snapshot ${before}`] },
    });
    await expect(taken(run)).rejects.toMatchObject({ code: 'RUN_FINALIZED' });
    expect(await planFinalize(run, closing())).toMatchObject({ kind: 'finalized' });
    expect((await here.deps.journal.read(run)).filter(({ kind }) => kind === 'finalized')).toHaveLength(1);
  });

  test('keeps what something else needs, and says what', async () => {
    const first = await rolledBack();
    expect(await planFinalize(first.run, closing())).toMatchObject({
      removes: [],
      stays: [{ id: bad, reasons: [{ because: 'held' }, { because: 'seen' }] }],
    });
    expect(await finalize(first.run, closing())).toMatchObject({ removed: [] });
    await expect(here.place.store.get('demo', bad)).resolves.toMatchObject({ id: bad });
  });

  test('is finished by a repeat when it was killed between the removal and its record', async () => {
    const { run, before } = await released();
    const dying: JournalStore = {
      ...here.deps.journal,
      append: async () => await Promise.reject(new Error('killed')),
    };
    await expect(finalize(run, { ...closing(), journal: dying })).rejects.toThrow('killed');
    await expect(taken(run)).rejects.toMatchObject({ code: 'SNAPSHOT_REMOVED' });
    expect(await finalize(run, closing())).toMatchObject({ removed: [before] });
    expect(await here.stateOf(run)).toMatchObject({ finalized: { removed: [`snapshot ${before}`] } });
  });

  test('is refused while the run may still need its way back', async () => {
    here.health = 503;
    const { run } = await rolledBack();
    await expect(planFinalize(run, closing())).rejects.toMatchObject({
      code: 'RUN_UNFINISHED',
      next: expect.stringContaining(`backstay undo ${run}`),
    });
    await expect(finalize('nobody', closing())).rejects.toMatchObject({ code: 'RUN_UNKNOWN' });
  });

  test('by retention closes what is past its time, and removes what nothing keeps any more', async () => {
    const { run, before } = await released();
    expect(await planExpired(later(6 * DAY))).toEqual({ runs: [], snapshots: [] });
    const expired = await planExpired(later(8 * DAY));
    expect(expired).toMatchObject({ runs: [{ run, removes: [{ id: before }] }], snapshots: [] });
    expect(await finalizeExpired(expired, later(8 * DAY))).toMatchObject({ runs: [{ run, removed: [before] }] });
    expect(await here.stateOf(run)).toMatchObject({ finalized: { because: 'retention' } });
    // Past 90 days only the newest and what has a name of its own stay.
    const { stack } = here.deps;
    const few = { ...later(100 * DAY), stack: { ...stack, retention: { ...stack.retention, keep: 1 } } };
    const old = await planExpired(few);
    expect(old.snapshots.map(({ id }) => id)).toEqual([bad]);
    await finalizeExpired(old, few);
    expect((await kept(few)).map(({ id }) => id)).toEqual([good]);
    expect((await here.place.store.verify('demo')).every(({ ok }) => ok)).toBe(true);
  });
});
