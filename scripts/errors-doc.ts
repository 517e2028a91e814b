/** Writes docs/errors.md from the table of codes: `npm run docs:errors`. A test keeps the two equal. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CODES, type CodeRow } from '../src/errors/codes.ts';

/** What a script that calls `backstay` can rely on. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'Done and proven; or, for commands that compare, no difference.'],
  [1, 'It failed, and the stack is as it was: nothing was changed, or all of it was taken back.'],
  [2, 'There are differences. Only with `--detailed-exitcode`.'],
  [3, 'The target was applied, its checks failed, and the stack was brought back to where it came from.'],
  [4, 'Part of the way: a person has to decide. Standard error names the `backstay resume RUN` that goes on.'],
  [5, 'Another run holds the stack. Its holder and age are printed.'],
  [6, 'An approval is needed, was denied, or has expired.'],
  [7, 'Refused before anything happened: a digest, signature, cluster identity or precondition does not hold.'],
  [64, 'The command or a file that it was given cannot be understood.'],
  [124, 'The time limit passed.'],
  [130, 'Stopped by Ctrl-C. The first stops between two steps and writes that down; the second stops at once.'],
  [143, 'Stopped by SIGTERM, in the same way.'],
];

const FAULT: Readonly<Record<CodeRow['source'], string>> = {
  user: 'the request',
  environment: 'the surroundings',
  us: 'Backstay',
};

/** The whole page. */
export function errorsPage(): string {
  const cell = (text: string | number) => String(text).replaceAll('|', '\\|');
  const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
    [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');
  const codes = Object.entries(CODES)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, row]) => [`\`${code}\``, FAULT[row.source], row.exit, row.summary, row.next]);
  return [
    '# Errors and exit codes',
    '<!-- Written by `npm run docs:errors` from src/errors/codes.ts. Do not edit. -->',
    'Every error that Backstay raises on purpose has a code that does not change, says where the fault lies, and names the' +
      ' next step. With `--output json` the same appears as `{"kind": "Error", "code", "message", "next", "at", "details"}`.',
    '## Exit codes',
    table(['exit code', 'what it means'], EXIT_CODES),
    '## Codes',
    'The advice in the last column is the general one; where Backstay knows the exact command it prints that instead.',
    table(['code', 'at fault', 'exit code', 'meaning', 'what to do'], codes),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

if (import.meta.main) {
  await writeFile(join(import.meta.dirname, '..', 'docs', 'errors.md'), errorsPage());
}
