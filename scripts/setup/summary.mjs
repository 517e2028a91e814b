/**
 * The last line of .ci/run: `N passed, N failed[, N skipped]` from vitest's own report, and the exit code. Plain
 * JavaScript: it also has to speak when the set-up failed.
 *
 *   node scripts/setup/summary.mjs REPORT EXIT_CODE_OF_THE_TESTS
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** Counts of a report; a file that broke before its first test counts as one failure, no report at all as well. */
export function summarize(report) {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

export function lineOf({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , path, code] = process.argv;
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    process.stdout.write(`there is no test report at ${path}\n`);
  }
  const counts = summarize(report);
  process.stdout.write(`${lineOf(counts)}\n`);
  process.exitCode = Number(code) !== 0 ? Number(code) : counts.failed > 0 ? 1 : 0;
}
