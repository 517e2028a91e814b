import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHttpClient, createSystemClock } from '../../src/adapters/system/index.ts';
import { type CheckContext, runChecks } from '../../src/checks/index.ts';
import { judge } from '../../src/checks/performance.ts';
import { wordSimilarity } from '../../src/checks/similarity.ts';
import type { CheckResult, CheckSetting } from '../../src/model/index.ts';
import type { HttpClient } from '../../src/ports/index.ts';
import { aDeployment, aPod, aReplicaSet, fakeCluster } from '../hooks/fake-cluster.ts';
import { localServer } from '../hooks/server.ts';
import { aStack, fakeClock } from '../rollback/builders.ts';

const http = createHttpClient();
let baseDir = '';

beforeAll(async () => {
  baseDir = await mkdtemp(join(tmpdir(), 'backstay-checks-'));
  await writeFile(join(baseDir, 'a.pdf'), '%PDF a');
  await writeFile(join(baseDir, 'a.txt'), 'Sepsis is treated early, with fluids.');
  await writeFile(join(baseDir, 'a.json'), JSON.stringify({ text: 'Sepsis is treated early, with fluids.' }));
});
afterAll(async () => {
  await http.close();
  await rm(baseDir, { recursive: true });
});

function context(part: Partial<CheckContext> = {}): CheckContext {
  return {
    cluster: fakeCluster(),
    http,
    clock: createSystemClock(),
    stack: aStack(),
    when: 'after',
    flags: [],
    baseDir,
    ...part,
  };
}

const BASE = { when: ['after'] as const, timeoutMs: 2_000 };

async function one(setting: object, part: Partial<CheckContext> = {}): Promise<CheckResult> {
  const [result] = await runChecks([{ name: 'it', ...BASE, ...setting } as unknown as CheckSetting], context(part));
  if (result === undefined) throw new Error('the check was not asked');
  return result;
}

describe('an http check', () => {
  test.each([
    [200, [200], 'pass'],
    [401, [200, 401, 403], 'pass'],
    [503, [503], 'pass'],
    [500, [200], 'fail'],
    [200, [503], 'fail'],
    [302, [200], 'fail'],
  ] as const)('that gets %i and accepts %o: %s', async (status, accept, verdict) => {
    await using server = await localServer(() => ({ status, headers: { location: '/elsewhere' } }));
    expect(await one({ kind: 'http', target: { url: server.url }, accept })).toMatchObject({
      verdict,
      measured: { status },
    });
  });

  test('fails when nobody answers: that is a measurement', async () => {
    const server = await localServer(() => ({ status: 200 }));
    await server[Symbol.asyncDispose]();
    const result = await one({ kind: 'http', target: { url: server.url }, accept: [200] });
    expect(result).toMatchObject({ verdict: 'fail', reason: expect.stringContaining('ECONNREFUSED') });
  });

  test('fails when the answer does not come in time', async () => {
    await using server = await localServer(() => 'never');
    const result = await one({ kind: 'http', target: { url: server.url }, accept: [200], timeoutMs: 50 });
    expect(result.verdict).not.toBe('pass');
  });

  test('is unknown when its target cannot be found: that says nothing about the target', async () => {
    const target = { url: '/health', via: { service: 'gone', port: 80 } };
    const result = await one({ kind: 'http', target, accept: [200, 503] });
    expect(result).toMatchObject({ verdict: 'unknown', reason: expect.stringContaining('no service gone') });
  });

  test('that accepts 503 does not pass on the 503 with which the API server says that nothing runs', async () => {
    const body = JSON.stringify({ kind: 'Status', apiVersion: 'v1', code: 503, message: 'no endpoints available' });
    const cluster = fakeCluster({
      objects: [{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'docling', namespace: 'production' } }],
      proxy: () => ({ status: 503, headers: { 'content-type': 'application/json' }, body }),
    });
    const target = { url: '/health', via: { service: 'docling', port: 80 } };
    expect(await one({ kind: 'http', target, accept: [503] }, { cluster })).toMatchObject({ verdict: 'fail' });
  });
});

describe('a performance check', () => {
  const setting = { kind: 'performance', accept: [200], count: 4, rate: 2, averageMs: 500, p95Ms: 1_000, maxMs: 2_000 };

  /** Answers after the given milliseconds of a clock that nothing but answers and pacing moves. */
  function slowServer(
    latencies: readonly number[],
    statuses: readonly number[] = [],
  ): Pick<CheckContext, 'http' | 'clock'> & { sent: number[] } {
    const clock = fakeClock();
    const sent: number[] = [];
    const client: HttpClient = {
      request: async () => {
        const i = sent.length;
        sent.push(clock.monotonic());
        clock.advance(latencies[i] ?? 0);
        return { status: statuses[i] ?? 200, headers: {}, body: '' };
      },
    };
    return { http: client, clock, sent };
  }

  test('passes below its limits, with the figures', async () => {
    const server = slowServer([10, 20, 30, 40]);
    const result = await one({ ...setting, target: { url: 'http://x/' } }, server);
    expect(result).toMatchObject({ verdict: 'pass', measured: { count: 4, failures: 0 } });
    expect(result.measured?.['averageMs']).toBeCloseTo(25, 0);
    expect(result.measured?.['maxMs']).toBeCloseTo(40, 0);
  });

  test('counts from the moment a request was due, so that one stall shows in those behind it', async () => {
    // Two a second: the first stalls for 1.8 s, so the second is sent 1.3 s late, the third 0.8 s.
    const server = slowServer([1_800, 10, 10, 10]);
    const result = await one({ ...setting, target: { url: 'http://x/' } }, server);
    expect(result).toMatchObject({ verdict: 'fail', reason: expect.stringContaining('average') });
    expect(Number(result.measured?.['averageMs'])).toBeGreaterThan(1_000);
  });

  test('fails on a single failed request, however fast the others were', async () => {
    const result = await one(
      { ...setting, target: { url: 'http://x/' } },
      slowServer([1, 1, 1, 1], [200, 500, 200, 200]),
    );
    expect(result).toMatchObject({
      verdict: 'fail',
      reason: 'x/: 1 of 4 requests failed, the first: answered 500',
      measured: { failures: 1 },
    });
  });

  test.each([
    ['average', { averageMs: 40 }, 'average 50 ms > 40 ms'],
    ['p95', { p95Ms: 90 }, 'p95 100 ms > 90 ms'],
    ['max', { maxMs: 99 }, 'max 100 ms > 99 ms'],
  ])('fails when its %s is over the limit', (_figure, limit, said) => {
    const samples = [0, 50, 100].map((latencyMs) => ({ latencyMs }));
    const finding = judge('x', { averageMs: 1_000, p95Ms: 1_000, maxMs: 1_000, ...limit }, samples);
    expect(finding).toMatchObject({ verdict: 'fail', reason: expect.stringContaining(said) });
  });

  test('that made no request knows nothing', () => {
    expect(judge('x', { averageMs: 1, p95Ms: 1, maxMs: 1 }, []).verdict).toBe('unknown');
  });
});

describe('a rollout check', () => {
  const set = aReplicaSet('gateway-new', 'gateway', '2', 'new');
  const oldSet = aReplicaSet('gateway-old', 'gateway', '1', 'old');
  const pod = aPod('gateway-new-1', 'gateway', 'new', 'gateway:2');
  const rollout = { kind: 'rollout', workloads: ['gateway'] };

  test('passes when every pod is of the newest template and runs its image', async () => {
    const cluster = fakeCluster({ objects: [aDeployment('gateway'), set, oldSet, pod] });
    expect(await one(rollout, { cluster })).toMatchObject({ verdict: 'pass' });
  });

  test.each([
    [
      'the controller has not seen the change',
      aDeployment('gateway', { metadata: { generation: 2 } }),
      [pod],
      'has not seen the change',
    ],
    ['a replica is not updated', aDeployment('gateway', { status: { updatedReplicas: 0 } }), [pod], '0 of 1 updated'],
    ['a replica is not available', aDeployment('gateway', { status: { availableReplicas: 0 } }), [pod], 'available'],
    [
      'a pod of an older template is left',
      aDeployment('gateway'),
      [pod, aPod('gateway-old-1', 'gateway', 'old', 'gateway:1')],
      'gateway-old-1',
    ],
    [
      'a pod runs another image',
      aDeployment('gateway'),
      [aPod('gateway-new-1', 'gateway', 'new', 'gateway:evil')],
      'gateway:evil',
    ],
  ])('fails while %s, and says so', async (_what, deployment, pods, said) => {
    const cluster = fakeCluster({ objects: [deployment, set, oldSet, ...pods] });
    expect(await one(rollout, { cluster })).toMatchObject({ verdict: 'fail', reason: expect.stringContaining(said) });
  });

  test('fails for a workload that is not there', async () => {
    expect(await one(rollout)).toMatchObject({ verdict: 'fail', reason: 'not there: gateway' });
  });

  test('that names none looks at all of the stack, and knows nothing of an empty one', async () => {
    const cluster = fakeCluster({
      objects: [aDeployment('gateway'), set, pod, aDeployment('worker', { status: { updatedReplicas: 0 } })],
    });
    const all = { kind: 'rollout', workloads: [] };
    expect(await one(all, { cluster })).toMatchObject({
      verdict: 'fail',
      reason: expect.stringContaining('deployment/worker'),
    });
    expect(await one(all)).toMatchObject({ verdict: 'unknown' });
  });

  test('given an inventory, reads its workloads as they are now', async () => {
    const cluster = fakeCluster({ objects: [aDeployment('gateway', { status: { availableReplicas: 0 } }), set, pod] });
    const inventory = [aDeployment('gateway')];
    expect(await one({ kind: 'rollout', workloads: [] }, { cluster, inventory })).toMatchObject({ verdict: 'fail' });
  });

  test('is unknown when the API server does not answer', async () => {
    const cluster = fakeCluster();
    const broken = { ...cluster, get: async () => Promise.reject(new Error('connection refused')) };
    expect(await one(rollout, { cluster: broken })).toMatchObject({
      verdict: 'unknown',
      reason: expect.stringContaining('connection refused'),
    });
  });
});

describe('a canary check', () => {
  const canary = (url: string, part: object = {}): object => ({
    kind: 'canary',
    target: { url },
    documents: [{ file: 'a.pdf', recorded: 'a.txt' }],
    contentType: 'application/pdf',
    minSimilarity: 0.8,
    backend: 'mineru',
    ...part,
  });
  const answer = (text: string, backend = 'mineru'): { status: number; body: string } => ({
    status: 200,
    body: JSON.stringify({ text, backend }),
  });

  test.each(['a.txt', 'a.json'])('passes when the text is like the recorded one in %s', async (recorded) => {
    await using server = await localServer(() => answer('SEPSIS is treated\nearly with fluids'));
    const result = await one(canary(server.url, { documents: [{ file: 'a.pdf', recorded }] }));
    expect(result).toMatchObject({
      verdict: 'pass',
      measured: { documents: [{ file: 'a.pdf', similarity: 1, backend: 'mineru' }] },
    });
    expect(server.received).toMatchObject([{ method: 'POST', body: '%PDF a' }]);
    expect(server.received[0]?.headers['content-type']).toBe('application/pdf');
  });

  test.each([
    ['the text is another', answer('Nothing of the kind was ever said here'), 'expected 80 %'],
    [
      'another backend answered',
      answer('Sepsis is treated early, with fluids.', 'docling'),
      'processed by docling, expected mineru',
    ],
    [
      'no backend is named',
      { status: 200, body: '{"text":"Sepsis is treated early, with fluids."}' },
      'unnamed backend',
    ],
    ['there is no text', { status: 200, body: '{}' }, 'has no text'],
    ['it is refused', { status: 503 }, 'answered 503'],
  ])('fails when %s', async (_what, said, reason) => {
    await using server = await localServer(() => said);
    expect(await one(canary(server.url))).toMatchObject({ verdict: 'fail', reason: expect.stringContaining(reason) });
  });

  test('is unknown when its own document cannot be read', async () => {
    await using server = await localServer(() => answer('x'));
    const documents = [{ file: 'gone.pdf', recorded: 'a.txt' }];
    expect(await one(canary(server.url, { documents }))).toMatchObject({
      verdict: 'unknown',
      reason: expect.stringContaining('gone.pdf'),
    });
  });
});

describe('likeness of words', () => {
  test.each([
    ['the same', 'the same', 1],
    ['The, same!', 'the   same', 1],
    ['', '', 1],
    ['', 'word', 0],
    ['one two three four', 'one two five six', 0.5],
    ['one two', 'two one', 0.5],
    ['ﬁne', 'fine', 1],
  ])('of %j and %j is %d', async (a, b, expected) => {
    expect(await wordSimilarity(a, b)).toBeCloseTo(expected);
  });
});

describe('a set of checks', () => {
  const check = (name: string, part: object = {}): CheckSetting => ({
    name,
    ...BASE,
    kind: 'rollout',
    workloads: ['gone'],
    ...part,
  });
  const names = (results: readonly CheckResult[]): string[] => results.map(({ name }) => name);

  test('is asked by moment: after a run all of it, a capture what a run asks before', async () => {
    const settings = [check('a', { when: ['capture'] }), check('b', { when: ['before'] }), check('c')];
    expect(names(await runChecks(settings, context({ when: 'after' })))).toEqual(['a', 'b', 'c']);
    expect(names(await runChecks(settings, context({ when: 'before' })))).toEqual(['b']);
    expect(names(await runChecks(settings, context({ when: 'capture' })))).toEqual(['a', 'b']);
    expect(names(await runChecks(settings, context({ when: 'named' })))).toEqual(['a', 'b', 'c']);
  });

  test('is asked by scope, named workloads being application', async () => {
    const settings = [check('a', { scopes: ['application'] }), check('b', { scopes: ['database'] }), check('c')];
    expect(names(await runChecks(settings, context({ scope: { kind: 'application' } })))).toEqual(['a', 'c']);
    expect(names(await runChecks(settings, context({ scope: { kind: 'workloads', names: ['x'] } })))).toEqual([
      'a',
      'c',
    ]);
    expect(names(await runChecks(settings, context({ scope: { kind: 'full' } })))).toEqual(['a', 'b', 'c']);
  });

  test('leaves out what a flag says does not apply, and is unknown about a flag that was not read', async () => {
    const settings = [check('a', { onlyIf: { flag: 'backend', is: 'mineru' } })];
    const flag = (value: string | null) => [{ name: 'backend', value, source: 'x' }];
    expect(await runChecks(settings, context({ flags: flag('docling') }))).toEqual([]);
    expect(await runChecks(settings, context({ flags: flag('mineru') }))).toMatchObject([{ verdict: 'fail' }]);
    expect(await runChecks(settings, context({ flags: [] }))).toMatchObject([{ verdict: 'unknown' }]);
  });

  test('tells each result as it comes, and answers in the order of the settings', async () => {
    const told: string[] = [];
    const onResult = (result: CheckResult): void => void told.push(result.name);
    const results = await runChecks([check('a'), check('b')], context({ onResult }));
    expect(told.toSorted()).toEqual(['a', 'b']);
    expect(names(results)).toEqual(['a', 'b']);
  });

  test('measures latency alone, after everything else', async () => {
    const order: string[] = [];
    const performance = check('slow', {
      kind: 'performance',
      target: { url: 'http://x/' },
      accept: [200],
      count: 1,
      rate: 1,
      averageMs: 1,
      p95Ms: 1,
      maxMs: 1,
    });
    const client: HttpClient = { request: async () => (order.push('load'), { status: 200, headers: {}, body: '' }) };
    const onResult = ({ name }: CheckResult): void => void order.push(name);
    await runChecks([performance, check('a')], context({ http: client, clock: fakeClock(), onResult }));
    expect(order).toEqual(['a', 'load', 'slow']);
  });

  test('stops when told to, instead of calling everything unknown', async () => {
    const signal = AbortSignal.abort(new Error('stop'));
    await expect(runChecks([check('a')], context({ signal }))).rejects.toThrow('stop');
  });
});
