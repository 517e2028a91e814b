import { describe, expect, test } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import { type CheckResult, digestOf } from '../../../src/model/index.ts';
import type { RunDeps, StepResult } from '../../../src/rollback/index.ts';
import { parseAlerts } from '../../../src/checks/index.ts';
import { OPTIONS } from '../builders.ts';
import { CONFIG, type Given, key, perform } from '../step-support.ts';

describe('taking the lease', () => {
  const lock = { acquire: async () => ({ token: 7 }) } as unknown as RunDeps['lock'];

  test('refuses when live moved since the plan, naming what and how', async () => {
    const moved = [{ key: key(CONFIG), what: 'data.BACKEND changed' }];
    const { result } = await perform({ kind: 'lease' }, { deps: { lock }, moved });
    expect(result).toMatchObject({ outcome: 'failed', code: 'PLAN_STALE', touched: false });
    expect(result.message).toBe('medical-kg moved since the plan was made: configmap/config (data.BACKEND changed)');
  });

  test('keeps its token when nothing moved', async () => {
    const { result } = await perform({ kind: 'lease' }, { deps: { lock } });
    expect(result).toMatchObject({ outcome: 'done', result: { token: 7 } });
  });
});

describe('confirming the context', () => {
  const context = { alertmanager: { url: 'http://am' }, anyOf: ['DoclingSlow', 'DoclingGone'], dependencies: ['gpu'] };
  const alerts = (...names: string[]): string =>
    JSON.stringify(
      names.map((alertname) => ({
        labels: { alertname },
        startsAt: '2026-01-01T00:00:00Z',
        endsAt: '2099-01-01T00:00:00Z',
      })),
    );
  const answering = (status: number, body: string): Partial<RunDeps> => ({
    ask: async () => ({ status, headers: {}, body }),
  });
  const gpu = (verdict: CheckResult['verdict']): Partial<RunDeps> => ({
    runChecks: async ({ names }) =>
      names.map((name) => ({ name, kind: 'http', verdict, reason: 'it says so', at: '', durationMs: 1 })),
  });
  const confirm = async (deps: Partial<RunDeps>, part: Given = {}): Promise<StepResult> =>
    (await perform({ kind: 'confirm-context' }, { stack: { context }, deps, ...part })).result;

  test('passes when one of the alerts fires and what the suspect depends on is healthy', async () => {
    const result = await confirm({ ...answering(200, alerts('Other', 'DoclingGone')), ...gpu('pass') });
    expect(result).toMatchObject({ outcome: 'done', message: 'firing: DoclingGone; healthy: gpu' });
  });

  test.each<[string, Partial<RunDeps>, RegExp]>([
    [
      'none of the alerts is firing',
      { ...answering(200, alerts('Other')), ...gpu('pass') },
      /none of DoclingSlow, DoclingGone is firing/,
    ],
    [
      'a dependency fails',
      { ...answering(200, alerts('DoclingSlow')), ...gpu('fail') },
      /may not be the suspect's own: gpu: fail/,
    ],
    [
      'a dependency cannot be measured',
      { ...answering(200, alerts('DoclingSlow')), ...gpu('unknown') },
      /gpu: unknown/,
    ],
    [
      'a dependency has no check',
      { ...answering(200, alerts('DoclingSlow')), runChecks: async () => [] },
      /the stack has no such check/,
    ],
    [
      'Alertmanager answers an error',
      { ...answering(500, ''), ...gpu('pass') },
      /cannot tell whether an alert is firing: Alertmanager answers 500/,
    ],
    [
      'Alertmanager answers with something else',
      { ...answering(200, '<html>'), ...gpu('pass') },
      /does not answer with JSON/,
    ],
    [
      'Alertmanager does not answer',
      { ask: async () => Promise.reject(new Error('refused')), ...gpu('pass') },
      /cannot tell .*: refused/,
    ],
  ])('refuses when %s, naming the override', async (_what, deps, message) => {
    const result = await confirm(deps);
    expect(result).toMatchObject({ outcome: 'failed', code: 'CONTEXT_UNCONFIRMED', touched: false });
    expect(result.message).toMatch(message);
    expect(result.message).toContain('--emergency');
  });

  test('refuses when alerts are wanted and no Alertmanager is named', async () => {
    const { result } = await perform(
      { kind: 'confirm-context' },
      { stack: { context: { anyOf: ['A'], dependencies: [] } } },
    );
    expect(result.message).toContain('names no Alertmanager');
  });

  test('is not asked in an emergency, and says so', async () => {
    const result = await confirm({}, { plan: { options: { ...OPTIONS, emergency: true } } });
    expect(result).toMatchObject({ outcome: 'skipped', message: 'not asked: --emergency' });
  });

  test.each([
    ['is over', '2025-12-31T23:59:59Z', []],
    ['ends now', '2026-01-01T00:00:00Z', []],
    ['has no end known', '0001-01-01T00:00:00Z', ['A']],
    ['goes on', '2026-01-01T00:00:01Z', ['A']],
  ])('reads an alert that %s', (_what, endsAt, names) => {
    const parsed = parseAlerts(
      JSON.stringify([{ labels: { alertname: 'A' }, endsAt }]),
      Date.parse('2026-01-01T00:00:00Z'),
    );
    expect((parsed as readonly { name: string }[]).map(({ name }) => name)).toEqual(names);
  });
});

describe('the before snapshot', () => {
  const id = digestOf('before');
  const capture = async (): Promise<{ id: typeof id; verdict: 'fail' }> => ({ id, verdict: 'fail' });

  test('is read back with its secrets before the run goes on', async () => {
    const read: string[] = [];
    const store = {
      get: async (_stack: string, got: string) => (read.push(got), { id: got }),
      secrets: async () => (read.push('secrets'), new Map()),
    } as unknown as RunDeps['store'];
    const { result } = await perform({ kind: 'snapshot-before' }, { deps: { capture, store } });
    expect(read).toEqual([id, 'secrets']);
    expect(result).toMatchObject({ outcome: 'done', touched: false, result: { id, verdict: 'fail' } });
  });

  test('that cannot be read back is no way back: the step fails', async () => {
    const store = {
      get: async () => Promise.reject(new BackstayError('SNAPSHOT_TAMPERED', 'a blob is short')),
    } as unknown as RunDeps['store'];
    await expect(perform({ kind: 'snapshot-before' }, { deps: { capture, store } })).rejects.toMatchObject({
      code: 'SNAPSHOT_TAMPERED',
    });
  });

  test('is taken in an emergency too', async () => {
    const plan = { options: { ...OPTIONS, emergency: true, skipValidation: true } };
    const { result } = await perform({ kind: 'snapshot-before' }, { deps: { capture }, plan });
    expect(result.outcome).toBe('done');
  });
});
