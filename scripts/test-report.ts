import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** What we read and write of vitest's JSON report; everything else in it is kept as it is. */
export interface TestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly FileReport[];
  /** Files that were run again, and what failed in them at first. */
  readonly secondTry?: readonly string[];
}

interface FileReport {
  readonly name: string;
  readonly status: string;
  readonly message?: string;
  readonly assertionResults: readonly TestResult[];
}

interface TestResult {
  readonly status: string;
  readonly fullName?: string;
  readonly failureMessages?: readonly string[] | null;
}

/** Files in which something failed, or that broke before their first test. */
export function failedFiles(report: TestReport): readonly string[] {
  return report.testResults.filter((file) => file.status === 'failed').map((file) => file.name);
}

/** One line for each failure of a report: `file › test: first line of its message (line 7)`. */
export function failures(report: TestReport, root: string): readonly string[] {
  return report.testResults
    .filter((file) => file.status === 'failed')
    .flatMap((file) => {
      const name = relative(root, file.name);
      const failed = file.assertionResults.filter((test) => test.status === 'failed');
      if (failed.length === 0) return [`${name}: ${firstLine(file.message)}`];
      return failed.map(({ fullName = '?', failureMessages }) => {
        const message = failureMessages?.[0];
        return `${name} › ${fullName}: ${firstLine(message)}${lineIn(file.name, message)}`;
      });
    });
}

/**
 * The report of a run of which some files were run again: their results replace the first ones, so that every test
 * counts once. What failed at first stays in it by name: a test that passes only at the second try is a race somewhere.
 */
export function mergeReports(first: TestReport, second: TestReport, root: string): TestReport {
  const again = new Map(second.testResults.map((file) => [file.name, file]));
  const testResults = first.testResults.map((file) => again.get(file.name) ?? file);
  const tests = testResults.flatMap((file) => file.assertionResults);
  const count = (...states: readonly string[]) => tests.filter((test) => states.includes(test.status)).length;
  return {
    ...first,
    numPassedTests: count('passed'),
    numFailedTests: count('failed'),
    numPendingTests: count('pending', 'skipped', 'disabled'),
    numTodoTests: count('todo'),
    testResults,
    secondTry: failures(first, root),
  };
}

/** Where in the file it failed, ` (line 7)`, if the trace goes through it. */
function lineIn(file: string, message = ''): string {
  const after = message.split(`${file}:`)[1];
  return after === undefined ? '' : ` (line ${Number.parseInt(after, 10)})`;
}

function firstLine(message: string | undefined): string {
  // The line is read in logs, where colours are noise.
  const plain = stripVTControlCharacters(message ?? 'no message');
  return plain.trim().split('\n')[0]!.slice(0, 300);
}
