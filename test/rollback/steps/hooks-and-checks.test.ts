import { describe, expect, test } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import { type CheckResult, digestOf, type StepAction } from '../../../src/model/index.ts';
import type { CaptureRequest, RunDeps } from '../../../src/rollback/index.ts';
import { readable } from '../../../src/rollback/steps/placeholder-values.ts';
import { aHook, OPTIONS } from '../builders.ts';
import { perform } from '../step-support.ts';

describe('checks of a run', () => {
  const result = (name: string, verdict: CheckResult['verdict']): CheckResult => ({
    name,
    kind: 'http',
    verdict,
    reason: 'so',
    at: '',
    durationMs: 1,
  });
  const measuring = (...results: readonly CheckResult[]): Partial<RunDeps> => ({ runChecks: async () => results });
  const after: StepAction = { kind: 'checks', when: 'after', names: ['a', 'b'] };
  const before: StepAction = { kind: 'checks', when: 'before', names: ['a', 'b'] };

  test.each<[CheckResult['verdict'], string]>([
    ['pass', 'done'],
    ['fail', 'failed'],
    ['unknown', 'failed'],
  ])('after it, one that is %s makes the step %s', async (verdict, outcome) => {
    const { result: got } = await perform(after, { deps: measuring(result('a', 'pass'), result('b', verdict)) });
    expect(got).toMatchObject({ outcome, touched: false });
    if (outcome === 'failed')
      expect(got).toMatchObject({ code: 'VALIDATION_FAILED', message: expect.stringContaining('b ') });
  });

  test('after it are skipped by request, and then measure nothing', async () => {
    const { result: got } = await perform(after, { plan: { options: { ...OPTIONS, skipValidation: true } } });
    expect(got).toMatchObject({ outcome: 'skipped', message: expect.stringContaining('--skip-validation') });
  });

  test('before it are evidence: that the stack is broken is why we are here', async () => {
    const { result: got } = await perform(before, { deps: measuring(result('a', 'pass'), result('b', 'fail')) });
    expect(got).toMatchObject({ outcome: 'done', message: '1 of 2 checks pass before the run' });
  });

  test('before it must be measurable when asked for, and the override is named', async () => {
    const deps = measuring(result('a', 'unknown'));
    const asked = { plan: { options: { ...OPTIONS, validateBefore: true } }, deps };
    expect((await perform(before, asked)).result).toMatchObject({
      outcome: 'failed',
      code: 'CONTEXT_UNCONFIRMED',
      message: expect.stringContaining('--emergency'),
    });
    const emergency = { plan: { options: { ...OPTIONS, validateBefore: true, emergency: true } }, deps };
    expect((await perform(before, emergency)).result.outcome).toBe('done');
  });
});

describe('a hook of a run', () => {
  const failing: Partial<RunDeps> = {
    runHook: async () => Promise.reject(new BackstayError('HOOK_FAILED', 'no answer')),
  };

  test('that may only warn does not stop the run', async () => {
    const hook = aHook('tell', 'completed', { onError: 'warn' });
    const { result } = await perform({ kind: 'hook', hook }, { deps: failing });
    expect(result).toMatchObject({ outcome: 'warned', message: 'no answer', code: 'HOOK_FAILED' });
  });

  test('that must work fails the step', async () => {
    await expect(perform({ kind: 'hook', hook: aHook('pause', 'frozen') }, { deps: failing })).rejects.toMatchObject({
      code: 'HOOK_FAILED',
    });
  });

  test('that warns does not hide a lost lease', async () => {
    const hook = aHook('tell', 'completed', { onError: 'warn' });
    const deps: Partial<RunDeps> = { runHook: async () => Promise.reject(new BackstayError('LEASE_LOST', 'gone')) };
    await expect(perform({ kind: 'hook', hook }, { deps })).rejects.toMatchObject({ code: 'LEASE_LOST' });
  });

  test('is told where the run comes from and goes to', async () => {
    let values: Readonly<Record<string, string>> = {};
    const deps: Partial<RunDeps> = {
      runHook: async (_hook, request) => ((values = request.values), { message: 'ok', result: null }),
    };
    const id = digestOf('before');
    await perform({ kind: 'hook', hook: aHook('tell', 'completed') }, { deps, before: { 'snapshot-before': { id } } });
    expect(values).toEqual({
      run: 'r1',
      stack: 'medical-kg',
      from: id.slice(7, 19),
      to: 'v1.2.2',
      reason: 'docling is slow',
      incident: 'INC-7',
      outcome: 'running',
      duration: '0 ms',
    });
  });

  test.each([
    [850, '850 ms'],
    [12_400, '12 s'],
    [60_000, '1 min'],
    [184_000, '3 min 4 s'],
  ])('reads %i milliseconds as %s', (ms, text) => {
    expect(readable(ms)).toBe(text);
  });
});

const GATEWAY_IMAGE = { workload: 'apps/Deployment/production/gateway', container: 'main' };

describe('recording the arrival', () => {
  const before = digestOf('before');
  const after = digestOf('after');
  const annotated: unknown[] = [];
  const requests: CaptureRequest[] = [];
  const deps: Partial<RunDeps> = {
    capture: async (request) => (requests.push(request), { id: after, verdict: 'pass' as const }),
    store: {
      annotate: async (...args: unknown[]) => void annotated.push(args),
      get: async (_stack: string, id: string) => ({
        content: { images: [{ ...GATEWAY_IMAGE, image: `gateway:${id === before ? 2 : 1}` }], flags: [], objects: [] },
        sighting: { record: {} },
      }),
    } as unknown as RunDeps['store'],
  };

  test('holds the version that was rolled back from, with the reason and what it is known by', async () => {
    const { result } = await perform({ kind: 'record-after' }, { deps, before: { 'snapshot-before': { id: before } } });
    const version = { images: { 'apps/Deployment/production/gateway main': 'gateway:2' }, flags: {}, digests: {} };
    expect(result).toMatchObject({ outcome: 'done', result: { id: after, held: before } });
    expect(annotated).toEqual([['medical-kg', before, { held: { run: 'r1', reason: 'docling is slow', version } }]]);
    expect(requests).toMatchObject([{ reason: 'after-run', run: 'r1' }]);
  });

  test('holds nothing when live was at the target already', async () => {
    annotated.length = 0;
    await perform({ kind: 'record-after' }, { deps, before: { 'snapshot-before': { id: after } } });
    expect(annotated).toEqual([]);
  });
});
