import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { resume } from '../../src/actions/resume.ts';
import { configDigestOf } from '../../src/plan/index.ts';
import type { Digest, Plan } from '../../src/model/index.ts';
import type { Engine, JournalStore } from '../../src/ports/index.ts';
import { echo } from '../support/shop.ts';
import { configMap, secret } from '../support/snapshots.ts';
import { type Running, running, usual } from './running.ts';

/* The target's checks fail, and the plan says that the run then returns to what was before. */

let here: Running;
let before: Digest;

const settings = async (name = 'settings'): Promise<unknown> => (await here.get('ConfigMap', name))?.['data'];
const startedWith = async (): Promise<string | undefined> => {
  const found = await here.get('Deployment', 'reader');
  return found === undefined ? undefined : configDigestOf(found);
};
/** Dies after the act of a step's reverse, before its end is stored. */
const dyingAt = (step: string): JournalStore => ({
  ...here.deps.journal,
  append: async (entry) => {
    if (entry.kind === 'step-end' && entry.step === step && entry.reverse === true) throw new Error('killed');
    await here.deps.journal.append(entry);
  },
});

beforeEach(async () => {
  here = await running(usual);
  await here.put(configMap('settings', { backend: 'mineru' }));
  await here.put(configMap('only-in-the-target', { a: 'b' }));
  await here.put(secret('db', { password: 'old' }));
  await here.put(echo(here.namespace, 'reader', { reads: ['settings'], replicas: 1 }));
  await here.captured('good');
  await here.put(configMap('settings', { backend: 'docling', debug: 'yes' }));
  await here.put(secret('db', { password: 'new' }));
  await here.put(configMap('only-before', { c: 'd' }));
  await here.remove('ConfigMap', 'only-in-the-target');
  before = await here.captured();
  here.health = 503;
});

afterEach(async () => await here.end());

const planned = async (onInvalid: 'halt' | 'return' = 'return'): Promise<Plan> =>
  await here.planned({ target: 'good', onInvalid });

describe('a run whose target does not pass its checks', () => {
  test('returns to what was before, form by form, and says why', async () => {
    const ended = await here.run(await planned());
    expect(ended).toMatchObject({
      outcome: 'returned',
      exitCode: 3,
      code: 'VALIDATION_FAILED',
      reason: expect.stringMatching(/health fails: .*503/),
    });
    expect(ended.next).toBeUndefined();
    expect(await here.captured()).toBe(before);
    // What had been opened is closed again first; what was paused is set going last.
    expect(here.asked()).toEqual(['/pause', '/resume', '/pause-again', '/unpause']);
    const sightings = (await here.place.store.list('demo')).filter((entry) => 'record' in entry);
    expect(sightings.filter(({ record }) => record.verdict === 'pass')).toEqual([]);
    expect(sightings.filter(({ record }) => record.held !== undefined)).toEqual([]);
    expect(await resume({ run: ended.run }, here.deps)).toMatchObject({ outcome: 'returned', exitCode: 3 });
  });

  test('halts where nobody said that it returns', async () => {
    const plan = await planned('halt');
    expect(plan).not.toHaveProperty('onInvalid');
    const ended = await here.run(plan);
    expect(ended).toMatchObject({ outcome: 'mixed', exitCode: 4 });
    expect(await settings()).toEqual({ backend: 'mineru' });
    expect(here.asked()).toEqual(['/pause', '/resume']);
  });

  test('restarts what reads the configuration that came and went', async () => {
    const plan = await planned();
    const digests: (string | undefined)[] = [];
    const engine: Engine = {
      ...here.deps.engine,
      up: async (update) => {
        const done = await here.deps.engine.up(update);
        digests.push(await startedWith());
        return done;
      },
    };
    expect(await here.run(plan, { engine })).toMatchObject({ outcome: 'returned' });
    expect(digests).toHaveLength(2);
    expect(new Set(digests).size).toBe(2);
    expect(digests).not.toContain(undefined);
  });

  test('touches nothing that somebody else moved meanwhile, and names it', async () => {
    const plan = await planned();
    const meddling: JournalStore = {
      ...here.deps.journal,
      append: async (entry) => {
        await here.deps.journal.append(entry);
        if (entry.kind === 'direction') await here.put(configMap('settings', { backend: 'a third' }));
      },
    };
    const ended = await here.run(plan, { journal: meddling });
    expect(ended).toMatchObject({
      outcome: 'mixed',
      exitCode: 4,
      code: 'OBJECT_MOVED',
      reason: expect.stringContaining('configmap/settings'),
    });
    expect(await settings()).toEqual({ backend: 'a third' });
    expect(await settings('only-in-the-target')).toEqual({ a: 'b' });
    // Half way between two states, ingest stays closed.
    expect(here.asked()).not.toContain('/unpause');
    // Once that is put right, a resume goes on with the return, and then with the rest.
    await here.put(configMap('settings', { backend: 'mineru' }));
    expect(await resume({ run: ended.run }, here.deps)).toMatchObject({ outcome: 'returned', exitCode: 3 });
    expect(await here.captured()).toBe(before);
    expect(here.asked().at(-1)).toBe('/unpause');
  });

  test.each([
    ['made', async () => await here.put(configMap('theirs', { x: 'y' })), 'configmap/theirs'],
    ['deleted', async () => await here.remove('ConfigMap', 'settings'), 'configmap/settings'],
    ['made again', async () => await here.put(configMap('only-before', { e: 'f' })), 'configmap/only-before'],
  ])('stays away from what was %s by somebody else', async (_what, act, named) => {
    const meddling: JournalStore = {
      ...here.deps.journal,
      append: async (entry) => {
        await here.deps.journal.append(entry);
        if (entry.kind === 'direction') await act();
      },
    };
    const ended = await here.run(await planned(), { journal: meddling });
    expect(ended).toMatchObject({ outcome: 'mixed', code: 'OBJECT_MOVED', reason: expect.stringContaining(named) });
  });

  test('goes on with a return that was cut off in the middle, restarts included', async () => {
    const plan = await planned();
    let ups = 0;
    const half: Engine = {
      ...here.deps.engine,
      up: async (update) => {
        ups += 1;
        if (ups === 1) return await here.deps.engine.up(update);
        // The configuration is back; the pods that read it are not restarted yet.
        await here.deps.engine.up({ ...update, objects: update.objects.filter(({ kind }) => kind === 'ConfigMap') });
        throw new Error('the connection broke');
      },
    };
    const target = await here.run(plan, { engine: half });
    expect(target).toMatchObject({ outcome: 'mixed', exitCode: 4, next: `backstay resume ${target.run}` });
    const reached = await startedWith();
    expect(await settings()).toEqual({ backend: 'docling', debug: 'yes' });
    expect(await resume({ run: target.run }, here.deps)).toMatchObject({ outcome: 'returned', exitCode: 3 });
    expect(await here.captured()).toBe(before);
    expect(await startedWith()).not.toBe(reached);
  });

  test.each(['hook:resume', 'prune', 'apply', 'hook:pause'])(
    'that dies after it took back %s, before that is stored, ends as it would have',
    async (step) => {
      const plan = await planned();
      await expect(here.run(plan, { journal: dyingAt(step) })).rejects.toThrow('killed');
      const [cut] = await here.deps.journal.runs('demo');
      expect(await resume({ run: cut?.run ?? '' }, here.deps)).toMatchObject({ outcome: 'returned', exitCode: 3 });
      expect(await here.captured()).toBe(before);
      const { reverses } = await here.stateOf(cut?.run ?? '');
      expect([...reverses.values()].map(({ status }) => status)).not.toContain('failed');
    },
  );

  test('is not sent back by a person who breaks the checks off', async () => {
    const abort = new AbortController();
    here.health = 200;
    const plan = await planned();
    const { rollback } = await import('../../src/actions/rollback.ts');
    const reporter = {
      report: (event: { readonly type: string; readonly step?: string }): void => {
        if (event.type === 'step.started' && event.step === 'checks-after') abort.abort(new Error('SIGINT'));
      },
    };
    const ended = await rollback({ plan, signal: abort.signal, abort: abort.signal }, { ...here.deps, reporter });
    expect(ended).toMatchObject({ outcome: 'mixed' });
    expect(await settings()).toEqual({ backend: 'mineru' });
  });
});

test('a plan with a step that nobody takes back halts, and says so beforehand', async () => {
  const { stack } = here.deps;
  const flush = { ...stack.hooks[0], name: 'flush', phase: 'applied', reverse: undefined } as never;
  const deps = { ...here.deps, stack: { ...stack, hooks: [...stack.hooks, flush] } };
  const { planRollback, NO_OPTIONS } = await import('../../src/actions/plan.ts');
  const options = { ...NO_OPTIONS, allowUnknownImages: true };
  const result = await planRollback({ target: 'good', scope: { kind: 'full' }, onInvalid: 'return', options }, deps);
  if (result.kind !== 'planned') throw new TypeError(result.kind);
  expect(result.plan).not.toHaveProperty('onInvalid');
  expect(result.plan.steps.some(({ reverse }) => reverse?.kind === 'return-before')).toBe(false);
  expect(result.plan.warnings.join()).toMatch(/halt the run.*flush/);
});
