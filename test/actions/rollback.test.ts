import { readFile, readdir, stat } from 'node:fs/promises';
import { createArchive } from '../../src/adapters/archive/index.ts';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { capture } from '../../src/actions/capture.ts';
import { history } from '../../src/actions/history.ts';
import { NO_OPTIONS, planRollback } from '../../src/actions/plan.ts';
import { writeReport } from '../../src/actions/report.ts';
import { resume } from '../../src/actions/resume.ts';
import { rollback, type RollbackDeps, type RunEnded } from '../../src/actions/rollback.ts';
import { createLeaseLock } from '../../src/adapters/kubernetes/lease.ts';
import { createSqliteJournal } from '../../src/adapters/sqlite/index.ts';
import {
  createExec,
  createHttpClient,
  createPrivateFiles,
  createSystemClock,
} from '../../src/adapters/system/index.ts';
import { BackstayError } from '../../src/errors/index.ts';
import type { Digest, HookSetting, KubeObject, Plan, PlanOptions, RunEvent } from '../../src/model/index.ts';
import type { Cluster, Engine, JournalStore } from '../../src/ports/index.ts';
import { type LocalServer, localServer } from '../hooks/server.ts';
import { testCluster, testNamespace } from '../support/cluster.ts';
import { configMap, secret, type TemporaryStore, temporaryStore } from '../support/snapshots.ts';
import { directEngine } from './rollback-engine.ts';

/* A whole run against a real API server, a real journal, a real lease and local receivers; only Pulumi is left out. */

const CANARY = 'canary-hunter2-rollback';

let cluster: Cluster;
let namespace: { readonly name: string; remove(): Promise<void> };
let place: TemporaryStore;
let outside: LocalServer;
let journal: JournalStore;
let deps: RollbackDeps;
let events: RunEvent[];
let health = 200;
let target: Digest;
const http = createHttpClient();

afterAll(async () => await http.close());

beforeEach(async () => {
  ({ cluster } = await testCluster());
  namespace = await testNamespace('rollback');
  health = 200;
  events = [];
  const issues: unknown[] = [];
  outside = await localServer(({ method, url, body }) => {
    if (url === '/health') return { status: health };
    if (!url.includes('/issues')) return { status: 200 };
    if (method === 'GET') return { status: 200, body: JSON.stringify(issues) };
    const issue = { ...(JSON.parse(body) as object), html_url: 'https://git/1' };
    issues.push(issue);
    return { status: 201, body: JSON.stringify(issue) };
  });
  place = await temporaryStore('demo', {
    namespaces: [namespace.name],
    cluster: { leaseNamespace: namespace.name, leaseDurationMs: 30_000 },
    hooks: hooksAt(outside.url),
    checks: [
      {
        name: 'health',
        kind: 'http',
        when: ['before', 'after'],
        timeoutMs: 5_000,
        accept: [200],
        target: { url: `${outside.url}/health` },
      },
    ],
  });
  const stateDir = join(place.root, '..', 'state');
  journal = await createSqliteJournal({ file: join(stateDir, 'journal.sqlite') });
  const clock = createSystemClock();
  const { stack, store, hasher } = place;
  deps = {
    stack,
    store,
    hasher,
    cluster,
    clock,
    journal,
    journalName: 'the test',
    stateDir,
    http,
    by: { user: 'ada', host: 'laptop' },
    lock: createLeaseLock(cluster, { namespace: namespace.name, clock }),
    databaseLock: async (store) => await Promise.reject(new TypeError(`there is no store ${store}`)),
    engine: directEngine(cluster),
    exec: createExec({ env: { PATH: process.env['PATH'] } }),
    keys: { read: async () => `${outside.url}/webhook/${CANARY}` },
    files: createPrivateFiles(),
    archive: createArchive(),
    dataStores: async () => [],
    reporter: { report: (event) => events.push(event) },
  };
  await put(configMap('settings', { backend: 'mineru' }));
  await put(secret('db', { password: CANARY }));
  target = await captured('good');
  await put(configMap('settings', { backend: 'docling', debug: 'yes' }));
  await put(secret('db', { password: 'changed' }));
  await put(configMap('extra', { a: 'b' }));
});

afterEach(async () => {
  await journal.close();
  await namespace.remove();
  await outside[Symbol.asyncDispose]();
  await place.remove();
});

function hooksAt(url: string): readonly HookSetting[] {
  const post = (path: string): HookSetting['action'] => ({
    kind: 'http',
    method: 'POST',
    target: { url: `${url}${path}` },
    accept: [200],
  });
  const base = { timeoutMs: 5_000, onError: 'halt' } as const;
  return [
    { ...base, name: 'pause ingest', phase: 'frozen', action: post('/pause'), reverse: post('/resume') },
    { ...base, name: 'resume ingest', phase: 'resumed', action: post('/resume') },
    {
      ...base,
      name: 'announce',
      phase: 'completed',
      action: { kind: 'announce', webhook: { env: 'HOOK' }, text: '{{stack}} is at {{to}}: {{outcome}}' },
    },
    {
      ...base,
      name: 'ticket',
      phase: 'completed',
      action: {
        kind: 'ticket',
        api: url,
        repository: 'acme/kg',
        token: { env: 'T' },
        title: '{{incident}}',
        body: '{{reason}}',
        labels: [],
      },
    },
  ];
}

async function put(object: KubeObject): Promise<void> {
  const own = { ...object, metadata: { ...object.metadata, namespace: namespace.name } };
  const ref = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    namespace: namespace.name,
    name: object.metadata.name,
  };
  await ((await cluster.get(ref)) === undefined ? cluster.create(own) : cluster.replace(own));
}

async function captured(label: string): Promise<Digest> {
  const result = await capture({ labels: [label] }, deps);
  if (result.kind !== 'captured') throw new TypeError(result.kind);
  return result.id;
}

async function planned(options: Partial<PlanOptions> = {}): Promise<Plan> {
  const all = { ...NO_OPTIONS, allowUnknownImages: true, reason: 'docling is slow', incident: 'INC-7', ...options };
  const result = await planRollback({ target: 'good', scope: { kind: 'full' }, options: all }, deps);
  if (result.kind !== 'planned') throw new TypeError(result.kind);
  return result.plan;
}

async function run(plan: Plan, part: Partial<RollbackDeps> = {}): Promise<RunEnded> {
  const result = await rollback({ plan }, { ...deps, ...part });
  if (result.kind !== 'ended') throw new TypeError(result.kind);
  return result;
}

const settings = async (name = 'settings'): Promise<unknown> =>
  (await cluster.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace: namespace.name, name }))?.['data'];
const asked = (): string[] =>
  outside.received.map(({ method, url }) => `${method} ${url}`).filter((line) => !line.includes('/health'));
const after = async (): Promise<Digest> => await captured('look');

describe('a rollback', () => {
  test('brings the stack to the target, tells it once, and leaves a report without a secret', async () => {
    const ended = await run(await planned({ validateBefore: true }));
    expect(ended).toMatchObject({ outcome: 'succeeded', exitCode: 0 });
    expect(await settings()).toEqual({ backend: 'mineru' });
    expect(await settings('extra')).toBeUndefined();
    expect(await after()).toBe(target);
    expect(asked()).toEqual(['POST /pause', 'POST /resume', `POST /webhook/${CANARY}`, 'POST /repos/acme/kg/issues']);
    expect(JSON.parse(outside.received.find(({ url }) => url.startsWith('/webhook'))?.body ?? '')).toEqual({
      text: 'demo is at good: succeeded',
    });

    const { markdown, paths, report } = ended.report ?? expect.fail(ended.reportProblem);
    expect(await readFile(paths.markdown, 'utf8')).toBe(markdown);
    expect(JSON.parse(await readFile(paths.json, 'utf8'))).toEqual(JSON.parse(JSON.stringify(report)));
    expect((await stat(paths.markdown)).mode & 0o777).toBe(0o600);
    for (const part of [
      'succeeded',
      'INC-7',
      'configmap/settings',
      'configmap/extra',
      'health',
      `backstay rollback demo --to`,
    ]) {
      expect(markdown).toContain(part);
    }
    expect(report.checks).toMatchObject({ before: [{ verdict: 'pass' }], after: [{ verdict: 'pass' }] });
    expect(report.time.totalMs).toBeGreaterThanOrEqual(report.time.ownMs);

    const told = JSON.stringify([events, await journal.read(ended.run), ended]);
    expect(told).toContain('settings');
    expect(told.includes(CANARY) || told.includes(Buffer.from(CANARY).toString('base64'))).toBe(false);
    for (const file of await readdir(deps.stateDir, { recursive: true, withFileTypes: true })) {
      if (file.isFile())
        expect((await readFile(join(file.parentPath, file.name), 'latin1')).includes(CANARY)).toBe(false);
    }
  });

  test('holds the version that it came from, and takes it back by one more run', async () => {
    const before = await after();
    const first = await run(await planned());
    const shown = await place.store.get('demo', before);
    expect(shown.sighting.record.held).toMatchObject({ run: first.run, reason: 'docling is slow' });
    const back = await planRollback(
      { target: before, scope: { kind: 'full' }, options: { ...NO_OPTIONS, allowUnknownImages: true, reason: 'undo' } },
      deps,
    );
    if (back.kind !== 'planned') throw new TypeError(back.kind);
    expect(await run(back.plan)).toMatchObject({ outcome: 'succeeded' });
    expect(await after()).toBe(before);
  });

  test('of a stack that moved since it was planned is refused with what moved, and changes nothing', async () => {
    const plan = await planned();
    await put(configMap('settings', { backend: 'a third' }));
    const ended = await run(plan);
    expect(ended).toMatchObject({
      outcome: 'failed',
      exitCode: 7,
      code: 'PLAN_STALE',
      reason: expect.stringContaining('configmap/settings'),
    });
    expect(await settings()).toEqual({ backend: 'a third' });
    expect(asked()).toEqual([]);
  });

  test('is refused while another run holds the stack', async () => {
    const plan = await planned();
    const held = await deps.lock.acquire('demo', { run: 'other', journal: 'there', user: 'bob', host: 'desk' });
    const ended = await run(plan);
    await held.release();
    expect(ended).toMatchObject({
      outcome: 'failed',
      exitCode: 5,
      code: 'LEASE_HELD',
      reason: expect.stringContaining('bob'),
    });
    expect(await run(plan)).toMatchObject({ outcome: 'succeeded' });
  });

  test('that the engine refuses before it changed anything lets ingest go on, and nothing is changed', async () => {
    const engine: Engine = {
      ...deps.engine,
      up: async () => Promise.reject(new BackstayError('OBJECT_REFUSED', 'admission says no')),
    };
    const ended = await run(await planned(), { engine });
    expect(ended).toMatchObject({
      outcome: 'failed',
      exitCode: 1,
      reason: expect.stringContaining('admission says no'),
    });
    expect(asked()).toEqual(['POST /pause', 'POST /resume']);
    expect(await settings()).toEqual({ backend: 'docling', debug: 'yes' });
  });

  test('that breaks half way is mixed, keeps ingest paused, and is finished by a resume', async () => {
    const half: Engine = {
      ...deps.engine,
      up: async (update) => {
        await deps.engine.up({ ...update, objects: update.objects.slice(0, 1) });
        throw new BackstayError('ENGINE_FAILED', 'the connection broke');
      },
    };
    const ended = await run(await planned(), { engine: half });
    expect(ended).toMatchObject({ outcome: 'mixed', exitCode: 4, next: `backstay resume ${ended.run}` });
    expect(asked()).toEqual(['POST /pause']);
    expect(await resume({ run: ended.run }, deps)).toMatchObject({ outcome: 'succeeded', exitCode: 0 });
    expect(await after()).toBe(target);
    expect(asked().filter((line) => line === 'POST /pause')).toHaveLength(1);
  });

  test('whose checks fail at the target is mixed, and a resume asks them again', async () => {
    health = 503;
    const ended = await run(await planned());
    expect(ended).toMatchObject({
      outcome: 'mixed',
      exitCode: 4,
      code: 'VALIDATION_FAILED',
      reason: expect.stringContaining('503'),
    });
    expect(asked()).not.toContain('POST /repos/acme/kg/issues');
    health = 200;
    expect(await resume({ run: ended.run }, deps)).toMatchObject({ outcome: 'succeeded' });
  });

  test('without validation ends unvalidated, with a code of its own, and is not known good', async () => {
    const plan = await planned({ skipValidation: true });
    outside.received.length = 0;
    const ended = await run(plan);
    expect(ended).toMatchObject({ outcome: 'unvalidated', exitCode: 8 });
    // Asked as evidence before anything acted; never afterwards, whatever the answer would be.
    expect(plan.steps.map(({ id }) => id)).not.toContain('checks-after');
    expect(outside.received.filter(({ url }) => url === '/health').length).toBeLessThanOrEqual(1);
    expect((await place.store.get('demo', target)).sighting.record.verdict).toBe('unknown');
  });

  test('stopped by a signal before anything was applied takes everything back', async () => {
    const stop = new AbortController();
    const reporter = {
      report: (event: RunEvent): void => {
        if (event.type === 'step.ended' && event.step.startsWith('hook:pause')) stop.abort(new Error('SIGTERM'));
      },
    };
    const result = await rollback({ plan: await planned(), signal: stop.signal }, { ...deps, reporter });
    expect(result).toMatchObject({ outcome: 'cancelled', exitCode: 143 });
    expect(asked()).toEqual(['POST /pause', 'POST /resume']);
    expect(await settings()).toEqual({ backend: 'docling', debug: 'yes' });
  });

  test('whose hooks name a placeholder that nobody fills is not even planned', async () => {
    const [pause] = deps.stack.hooks as [HookSetting];
    const action = { kind: 'announce', webhook: { env: 'HOOK' }, text: 'hello {{who}}' } as const;
    deps = { ...deps, stack: { ...deps.stack, hooks: [{ ...pause, action }] } };
    await expect(planned()).rejects.toMatchObject({
      code: 'STACK_INVALID',
      message: expect.stringContaining('{{who}}'),
    });
  });

  test('with nothing to change starts no run', async () => {
    const plan = await planned();
    expect(await rollback({ plan: { ...plan, changes: [] } }, deps)).toMatchObject({
      kind: 'nothing-to-do',
      exitCode: 0,
    });
    expect(await journal.runs()).toEqual([]);
  });

  test.each(['hook:pause ingest', 'apply', 'prune', 'record-after', 'hook:ticket'])(
    'that dies between the act of %s and its record is brought to its end by a resume',
    async (step) => {
      const plan = await planned();
      const dying: JournalStore = {
        ...journal,
        append: async (entry) => {
          if (entry.kind === 'step-end' && entry.step === step) throw new Error('killed');
          await journal.append(entry);
        },
      };
      await expect(run(plan, { journal: dying })).rejects.toThrow('killed');
      const [cut] = await history({}, { journal });
      expect(cut).toMatchObject({ outcome: 'unfinished', resumable: true });
      expect(await resume({ run: cut?.run ?? '' }, deps)).toMatchObject({ outcome: 'succeeded', exitCode: 0 });
      expect(await after()).toBe(target);
      const begun = (await journal.read(cut?.run ?? '')).filter((entry) => entry.kind === 'step-begin');
      const twice = begun.filter((entry, i) => begun.some((other, j) => j < i && other.step === entry.step));
      expect(twice.map((entry) => entry.step)).toEqual([step]);
      expect(asked().filter((line) => line === 'POST /repos/acme/kg/issues')).toHaveLength(1);
    },
  );
});

describe('the history of runs', () => {
  test('lists each with its outcome and target, newest first, and names what is damaged', async () => {
    const ended = await run(await planned());
    await journal.append({
      format: 1,
      run: 'broken',
      stack: 'demo',
      sequence: 1,
      time: '2020-01-01T00:00:00.000Z',
      kind: 'resumed',
      by: deps.by,
    });
    expect(await history({}, { journal })).toMatchObject([
      {
        kind: 'run',
        run: ended.run,
        outcome: 'succeeded',
        target: 'good',
        by: 'ada@laptop',
        resumable: false,
        reason: 'docling is slow',
      },
      { kind: 'damaged', run: 'broken', why: expect.stringContaining('run-created') },
    ]);
    expect(await history({ stack: 'other' }, { journal })).toEqual([]);
    expect(await history({ limit: 1 }, { journal })).toHaveLength(1);
  });

  test('has no report of a run that it does not know', async () => {
    await expect(writeReport('nobody', deps)).rejects.toMatchObject({ code: 'RUN_UNKNOWN' });
  });
});
