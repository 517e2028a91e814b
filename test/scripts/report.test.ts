import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { judgeBudget, parseBudget } from '../../scripts/test-budget.ts';
import { failedFiles, failures, mergeReports } from '../../scripts/test-report.ts';

const root = join(import.meta.dirname, '..', '..');

/** The last line and exit code of .ci/run for a report and an exit code of the tests. */
async function summary(report: unknown, code: number) {
  const folder = await mkdtemp(join(tmpdir(), 'backstay-report-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'report.json');
  if (report !== undefined) await writeFile(path, typeof report === 'string' ? report : JSON.stringify(report));
  const script = join(root, 'scripts', 'setup', 'summary.mjs');
  const done = spawnSync(process.execPath, [script, path, String(code)], { encoding: 'utf8' });
  return [done.stdout.trimEnd().split('\n').at(-1), done.status];
}

const report = (passed: number, failed: number, more: object = {}) => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [],
  ...more,
});

describe('the last line of .ci/run', () => {
  it.each<[string, unknown, number, string, number]>([
    ['everything passed', report(12, 0), 0, '12 passed, 0 failed', 0],
    ['a test failed', report(11, 1), 1, '11 passed, 1 failed', 1],
    ['only the lint failed', report(12, 0), 1, '12 passed, 0 failed', 1],
    ['a test failed and nobody said so', report(11, 1), 0, '11 passed, 1 failed', 1],
    [
      'some were skipped',
      report(10, 0, { numPendingTests: 1, numTodoTests: 2 }),
      0,
      '10 passed, 0 failed, 3 skipped',
      0,
    ],
    ['the time ran out', undefined, 124, '0 passed, 1 failed', 124],
    ['the report is cut short', '{"numPassed', 0, '0 passed, 1 failed', 1],
    [
      'a file broke before its first test',
      report(5, 1, {
        testResults: [
          { status: 'failed', assertionResults: [] },
          { status: 'failed', assertionResults: [{ status: 'failed' }] },
          { status: 'passed', assertionResults: [{ status: 'passed' }] },
        ],
      }),
      1,
      '5 passed, 2 failed',
      1,
    ],
  ])('when %s', async (_what, given, code, line, exit) => {
    expect(await summary(given, code)).toEqual([line, exit]);
  });
});

describe('the time budget', () => {
  const file = (name: string, start: number, seconds: number) => ({
    name: `/project/${name}`,
    startTime: start * 1000,
    endTime: (start + seconds) * 1000,
  });
  const budget = { totalSeconds: 100, fileSeconds: 10, files: { 'test/long.test.ts': 60 } };

  it('counts from the first start to the last end, because files run side by side', () => {
    const testResults = [file('test/a.test.ts', 0, 80), file('test/b.test.ts', 10, 80)];
    expect(judgeBudget({ testResults }, budget, '/project')).toMatchObject({ within: true });
    expect(judgeBudget({ testResults: [...testResults, file('c', 100, 1)] }, budget, '/project')).toMatchObject({
      within: false,
    });
  });

  it('names the slowest files first, and those over their share', () => {
    const testResults = [file('test/a.test.ts', 0, 2), file('test/long.test.ts', 0, 50), file('test/b.test.ts', 0, 11)];
    expect(judgeBudget({ testResults }, budget, '/project').lines).toEqual([
      '   50.0 s  test/long.test.ts',
      '   11.0 s  test/b.test.ts  over its 10 s',
      '    2.0 s  test/a.test.ts',
      '   50.0 s  in all, of 100 s',
    ]);
  });

  it('of this project can be read', async () => {
    expect(parseBudget(await readFile(join(root, 'test', 'budget.json'), 'utf8')).totalSeconds).toBeLessThan(3600);
  });
});

describe('a second try', () => {
  const file = (name: string, ...statuses: string[]) => ({
    name: `/here/${name}`,
    status: statuses.includes('failed') || statuses.length === 0 ? 'failed' : 'passed',
    message: 'Error: no such module\n  at x',
    assertionResults: statuses.map((status, index) => ({
      status,
      fullName: `test ${index}`,
      failureMessages:
        status === 'failed' ? ['\u001B[31mAssertionError: 1 is not 2\u001B[39m\n at y\n at /here/a:7:9'] : [],
    })),
  });
  const first = report(3, 1, {
    testResults: [file('a', 'passed', 'failed'), file('b', 'passed', 'passed'), file('c')],
  });

  it('is of the files in which something failed, or that broke before their first test', () => {
    expect(failedFiles(first)).toEqual(['/here/a', '/here/c']);
    expect(failures(first, '/here')).toEqual([
      'a › test 1: AssertionError: 1 is not 2 (line 7)',
      'c: Error: no such module',
    ]);
  });

  it('counts every test once, and keeps the names of what failed at first', () => {
    const second = report(3, 0, { testResults: [file('a', 'passed', 'passed'), file('c', 'passed', 'skipped')] });
    const merged = mergeReports(first, second, '/here');
    expect(merged).toMatchObject({ numPassedTests: 5, numFailedTests: 0, numPendingTests: 1, numTodoTests: 0 });
    expect(merged.secondTry).toHaveLength(2);
  });

  it('that fails as well leaves the failure', () => {
    const second = report(1, 1, { testResults: [file('a', 'passed', 'failed'), file('c')] });
    const merged = mergeReports(first, second, '/here');
    expect(merged).toMatchObject({ numPassedTests: 3, numFailedTests: 1 });
    expect(failedFiles(merged)).toEqual(['/here/a', '/here/c']);
  });
});
