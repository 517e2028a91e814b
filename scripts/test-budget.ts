import { relative } from 'node:path';
import { z } from 'zod';

const budgetSchema = z.strictObject({
  /** Wall time of all test files together, seconds: beyond it the run fails. */
  totalSeconds: z.number().positive(),
  /** A file that is not listed below may take this long; one that takes longer is named. */
  fileSeconds: z.number().positive(),
  /** Files that are meant to take longer. */
  files: z.record(z.string(), z.number().positive()),
});

const reportSchema = z.object({
  testResults: z.array(z.object({ name: z.string(), startTime: z.number(), endTime: z.number() })),
});

export type Budget = z.infer<typeof budgetSchema>;

export function parseBudget(text: string): Budget {
  return budgetSchema.parse(JSON.parse(text));
}

/**
 * Compares vitest's JSON report with the budget. Only the total decides: single files differ too much between machines,
 * so those over their share are named and nothing more.
 */
export function judgeBudget(
  report: unknown,
  budget: Budget,
  root: string,
): { readonly within: boolean; readonly lines: readonly string[] } {
  const files = reportSchema.parse(report).testResults.map(({ name, startTime, endTime }) => ({
    name: relative(root, name),
    seconds: Math.max(0, endTime - startTime) / 1000,
  }));
  const ends = reportSchema.parse(report).testResults;
  const wall =
    ends.length === 0
      ? 0
      : (Math.max(...ends.map((file) => file.endTime)) - Math.min(...ends.map((file) => file.startTime))) / 1000;
  const slowest = files.toSorted((a, b) => b.seconds - a.seconds).slice(0, 10);
  const lines = slowest.map(({ name, seconds }) => {
    const share = budget.files[name] ?? budget.fileSeconds;
    const over = seconds > share ? `  over its ${share} s` : '';
    return `${seconds.toFixed(1).padStart(7)} s  ${name}${over}`;
  });
  const within = wall <= budget.totalSeconds;
  lines.push(`${wall.toFixed(1).padStart(7)} s  in all, of ${budget.totalSeconds} s${within ? '' : ': OVER BUDGET'}`);
  return { within, lines };
}
