import { type CheckResult, displayName } from '../../model/index.ts';
import type { RunReport } from '../../rollback/index.ts';
import { comparedChecks, factsOf, observedRows, peopleOf, snapshotsOf, spentTimes } from './sections.ts';
import { moment, spell } from './words.ts';

/** Pure. Sections stand in the order in which a reviewer asks. */
export function renderMarkdown(report: RunReport): string {
  const { stack, target, outcome, followUps } = report;
  const people = peopleOf(report);
  const snapshots = snapshotsOf(report);
  const sections = [
    `# Rollback of ${plain(stack)} to ${plain(target.said)}: ${outcome}`,
    table(['', ''], factsOf(report)),
    section(
      'What was broken',
      report.checks.before.length === 0 ? 'No checks were measured before the run.' : checkList(report.checks.before),
    ),
    section('What was planned', planned(report)),
    section('What was done', done(report)),
    ...(report.downtime.length === 0 ? [] : [section('Downtime', downtime(report))]),
    section('Where the time went', times(report)),
    section('Checks before and after', compared(report)),
    ...(report.observation === undefined ? [] : [section('What came after', cameAfter(report))]),
    section('Snapshots and evidence', snapshots.length === 0 ? 'None was taken.' : bullets(snapshots)),
    ...(people.length === 0
      ? []
      : [
          section(
            'Who decided what',
            table(
              ['When', 'Who', 'What'],
              people.map(({ at, who, what }) => [moment(at), who, what]),
            ),
          ),
        ]),
    section('Follow-ups', followUps.length === 0 ? 'None.' : bullets(followUps)),
  ];
  return `${sections.join('\n\n')}\n`;
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
    step.beganAt === undefined ? '' : step.beganAt.slice(11, 23),
    step.takenBack ? `${step.status}, taken back` : step.status,
    step.durationMs === undefined ? '' : spell(step.durationMs),
    step.message ?? '',
  ]);
  return table(['Phase', 'Step', 'Began', 'Outcome', 'Time', ''], rows);
}

function downtime({ downtime: probes }: RunReport): string {
  const rows = probes.flatMap(({ probe, spans }) =>
    spans.map(({ verdict, from, to, reason }) => [
      probe,
      from.slice(11, 23),
      spell(Date.parse(to) - Date.parse(from)),
      verdict,
      reason,
    ]),
  );
  return table(['Probe', 'From', 'For', 'State', 'Why'], rows);
}

function times(report: RunReport): string {
  const byPhase = table(
    ['Phase', 'Time'],
    report.phases.map(({ phase, durationMs }) => [phase, spell(durationMs)]),
  );
  return `${byPhase}\n\n${table(
    ['Spent by', 'Time'],
    spentTimes(report).map(([name, ms]) => [name, spell(ms)]),
  )}`;
}

function compared(report: RunReport): string {
  const checks = comparedChecks(report);
  if (checks.length === 0) return 'No checks were measured.';
  const say = (result: CheckResult | undefined): string =>
    result === undefined ? 'not asked' : `${result.verdict}: ${result.reason}`;
  return table(
    ['Check', 'Before', 'After'],
    checks.map(({ name, before, after }) => [name, say(before), say(after)]),
  );
}

function cameAfter(report: RunReport): string {
  return table(
    ['Watched', 'From', 'Verdict', 'Why'],
    observedRows(report).map(({ subject, at, verdict, reason }) => [
      subject,
      at === undefined ? '' : at.slice(11, 19),
      verdict,
      reason,
    ]),
  );
}

function checkList(results: readonly CheckResult[]): string {
  return bullets(results.map(({ name, verdict, reason }) => `${name}: **${verdict}**, ${reason}`));
}

function section(title: string, body: string): string {
  return `## ${title}\n\n${body}`;
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${plain(line)}`).join('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => plain(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** One line, and no markup of others: neither HTML, which Markdown passes on, nor links and pictures. */
function plain(text: string): string {
  return text
    .replaceAll(/\s*\n\s*/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('](', ']\\(');
}
