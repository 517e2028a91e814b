import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import { fold, type RunState } from '../journal/index.ts';
import { type CheckResult, displayName } from '../model/index.ts';
import type { JournalStore, PrivateFiles } from '../ports/index.ts';
import { readable, reportOf, type RunReport } from '../rollback/index.ts';

export interface ReportDeps {
  readonly journal: JournalStore;
  readonly files: PrivateFiles;
  /** Absolute path; reports go to `<stateDir>/runs/<run>/`. */
  readonly stateDir: string;
}

export interface WrittenReport {
  readonly report: RunReport;
  readonly markdown: string;
  readonly paths: { readonly markdown: string; readonly json: string };
}

/**
 * Writes the report of a run from its journal, as Markdown and JSON side by side. Can be asked for at any time, also while
 * the run is unfinished. @throws RUN_UNKNOWN, JOURNAL_BROKEN
 */
export async function writeReport(run: string, deps: ReportDeps): Promise<WrittenReport> {
  const entries = await deps.journal.read(run);
  if (entries.length === 0) throw new BackstayError('RUN_UNKNOWN', `there is no run ${run}`);
  return await writeReportOf(fold(entries), deps);
}

export async function writeReportOf(state: RunState, { files, stateDir }: ReportDeps): Promise<WrittenReport> {
  const report = reportOf(state);
  const markdown = renderMarkdown(report);
  const folder = join(stateDir, 'runs', state.run);
  const paths = { markdown: join(folder, 'report.md'), json: join(folder, 'report.json') };
  await files.write(paths.json, `${JSON.stringify(report, null, 2)}\n`);
  await files.write(paths.markdown, markdown);
  return { report, markdown, paths };
}

/** Pure. Sections stand in the order in which a reviewer asks. */
export function renderMarkdown(report: RunReport): string {
  const { stack, target, outcome } = report;
  const sections = [
    `# Rollback of ${stack} to ${target.said}: ${outcome}`,
    facts(report),
    section(
      'What was broken',
      report.checks.before.length === 0 ? 'No checks were measured before the run.' : checkList(report.checks.before),
    ),
    section('What was planned', planned(report)),
    section('What was done', done(report)),
    section('Where the time went', times(report)),
    section('Checks before and after', compared(report)),
    section('Snapshots', snapshots(report)),
    section('Follow-ups', report.followUps.length === 0 ? 'None.' : bullets(report.followUps)),
  ];
  return `${sections.join('\n\n')}\n`;
}

function facts(report: RunReport): string {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['Outcome', report.because === undefined ? report.outcome : `${report.outcome}: ${report.because}`],
    ['Run', report.run],
    ['By', `${report.by.user} on ${report.by.host}`],
    ['Started', report.startedAt],
    ['Duration', readable(report.time.totalMs)],
    ['Target', `${report.target.said} (${report.target.id})`],
    ['Scope', report.scope.kind === 'workloads' ? report.scope.names.join(', ') : report.scope.kind],
    ['Reason', report.reason],
    ['Incident', report.incident],
    ['Guards taken away', report.overrides.length === 0 ? undefined : report.overrides.join(', ')],
    [
      'Resumed',
      report.resumes.length === 0 ? undefined : report.resumes.map(({ by, at }) => `${at} by ${by.user}`).join(', '),
    ],
    ['Plan', report.plan],
    ['Cluster', report.clusterUid],
  ];
  return table(
    ['', ''],
    rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function planned({ changes, warnings }: RunReport): string {
  const rows = changes.map(({ key, action, fields, reason }) => [
    displayName(key),
    action,
    reason ?? fieldsInShort(fields),
  ]);
  const list = rows.length === 0 ? 'Nothing: live was at the target.' : table(['Object', 'Action', 'What'], rows);
  return warnings.length === 0 ? list : `${list}\n\nWarned of:\n\n${bullets(warnings)}`;
}

const FIELDS_SHOWN = 3;

function fieldsInShort(fields: readonly string[]): string {
  const shown = fields.slice(0, FIELDS_SHOWN).map((path) => `\`${path}\``);
  return fields.length > FIELDS_SHOWN
    ? `${shown.join(', ')} and ${fields.length - FIELDS_SHOWN} more`
    : shown.join(', ');
}

function done({ steps }: RunReport): string {
  const rows = steps.map((step) => [
    step.phase,
    step.title,
    step.takenBack ? `${step.status}, taken back` : step.status,
    step.durationMs === undefined ? '' : readable(step.durationMs),
    step.message ?? '',
  ]);
  return table(['Phase', 'Step', 'Outcome', 'Time', ''], rows);
}

function times({ phases, time }: RunReport): string {
  const spent: readonly (readonly [string, number])[] = [
    ['the engine', time.engineMs],
    ['of it waiting for pods', time.waitingMs],
    ['hooks', time.hooksMs],
    ['checks', time.checksMs],
    ['Backstay itself', time.ownMs],
    ['all together', time.totalMs],
  ];
  const byPhase = table(
    ['Phase', 'Time'],
    phases.map(({ phase, durationMs }) => [phase, readable(durationMs)]),
  );
  return `${byPhase}\n\n${table(
    ['Spent by', 'Time'],
    spent.map(([name, ms]) => [name, readable(ms)]),
  )}`;
}

function compared({ checks: { before, after } }: RunReport): string {
  const names = [...new Set([...before, ...after].map(({ name }) => name))];
  if (names.length === 0) return 'No checks were measured.';
  const say = (result: CheckResult | undefined): string =>
    result === undefined ? 'not asked' : `${result.verdict}: ${result.reason}`;
  const find = (results: readonly CheckResult[], name: string): CheckResult | undefined =>
    results.find((r) => r.name === name);
  return table(
    ['Check', 'Before', 'After'],
    names.map((name) => [name, say(find(before, name)), say(find(after, name))]),
  );
}

function snapshots({ stack, snapshots: { before, after, held } }: RunReport): string {
  const rows = [
    ...(before === undefined
      ? []
      : [`Before: ${before}. Back to it: \`backstay rollback ${stack} --to ${before.slice(7, 19)}\``]),
    ...(after === undefined ? [] : [`After: ${after}`]),
    ...(held === undefined ? [] : [`Held, never known good again without a person: ${held}`]),
  ];
  return rows.length === 0 ? 'None was taken.' : bullets(rows);
}

function checkList(results: readonly CheckResult[]): string {
  return bullets(results.map(({ name, verdict, reason }) => `${name}: **${verdict}**, ${reason}`));
}

function section(title: string, body: string): string {
  return `## ${title}\n\n${body}`;
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${oneLine(line)}`).join('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => oneLine(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ');
}
