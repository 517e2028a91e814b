/** Writes the table and the picture of phases into docs/architecture/run.md: `npm run docs:phases`. A test keeps them equal. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PHASES } from '../src/model/index.ts';
import { type Exit, PHASE_TABLE, type PhaseRow } from '../src/rollback/index.ts';

const ROWS: readonly (readonly [phase: (typeof PHASES)[number], row: PhaseRow])[] = PHASES.map((phase) => [
  phase,
  PHASE_TABLE[phase],
]);

/** Both parts that are generated. */
export function runPage(): { readonly table: string; readonly diagram: string } {
  return { table: tableOf(), diagram: diagramOf() };
}

/** The page with its generated parts as they should be. @throws TypeError when a mark is missing */
export function withTables(page: string): string {
  const { table, diagram } = runPage();
  return between(between(page, 'phases', table), 'diagram', diagram);
}

function between(page: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new TypeError(`the page has no ${begin} … ${end}`);
  return `${page.slice(0, from + begin.length)}\n${content}\n${page.slice(to)}`;
}

function tableOf(): string {
  const cells = ROWS.map(([phase, row]) => [
    phase,
    row.holds,
    row.byPolicy === undefined ? row.onFailure : `${row.onFailure}; ${row.byPolicy} where the plan says return`,
    row.because,
    exitsOf(row)
      .map(([exit, when]) => `**${exit}**: ${when}`)
      .join('<br>'),
  ]);
  const head = ['phase', 'what holds afterwards', 'when a step fails', 'because', 'what leaves it'];
  return [head, head.map(() => '---'), ...cells].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function diagramOf(): string {
  const targets: Readonly<Partial<Record<Exit, string>>> = { wait: 'planned', back: 'going_back', halt: 'halted' };
  const edges = ROWS.flatMap(([phase, row], i) =>
    exitsOf(row).map(([exit]) => {
      const to = exit === 'next' ? (PHASES[i + 1] ?? exit) : (targets[exit] ?? exit);
      return `  ${phase} --> ${to}${exit === 'wait' ? ': waits for approval' : ''}`;
    }),
  );
  return [
    '```mermaid',
    'stateDiagram-v2',
    '  direction LR',
    '  [*] --> planned',
    ...edges,
    '  going_back --> failed: all taken back',
    '  going_back --> cancelled: all taken back after a stop',
    '  going_back --> returned: back at before',
    '  going_back --> mixed: a reverse failed',
    '  going_back --> halted: lease lost',
    '  halted --> failed: nothing was changed',
    '  halted --> mixed',
    '  mixed --> planned: resume, from the first step without an end',
    '  mixed --> going_back: resume of a run that went back',
    '  mixed --> abandoned: given up by name',
    ...['succeeded', 'unvalidated', 'failed', 'cancelled', 'returned', 'abandoned'].map((end) => `  ${end} --> [*]`),
    '```',
  ].join('\n');
}

function exitsOf({ leaves }: PhaseRow): readonly (readonly [exit: Exit, when: string])[] {
  return Object.entries(leaves) as [Exit, string][];
}

if (import.meta.main) {
  const file = join(import.meta.dirname, '..', 'docs', 'architecture', 'run.md');
  await writeFile(file, withTables(await readFile(file, 'utf8')));
}
