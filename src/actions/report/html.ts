import { createHash } from 'node:crypto';
import { displayName } from '../../model/index.ts';
import type { RunReport } from '../../rollback/index.ts';
import { Markup, markup } from './markup.ts';
import { comparedChecks, factsOf, observedRows, peopleOf, snapshotsOf, spentTimes } from './sections.ts';
import { PAGE_STYLE, TIMELINE_STYLE } from './style.ts';
import { timelineSvg } from './timeline.ts';
import { dataLossInShort, downtimeInShort, moment, spell } from './words.ts';

/** One file that needs nothing else: no scripts, no fetches, and a policy that forbids both. Pure. */
export function renderHtml(report: RunReport): string {
  const hash = createHash('sha256').update(PAGE_STYLE).digest('base64');
  const title = `${report.stack} to ${report.target.said}: ${report.outcome}`;
  return `<!doctype html>\n${markup`<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new Markup(PAGE_STYLE)}</style>
</head>
<body>
<main>
${header(report)}
${section('Timeline', markup`<div class="card">${timelineSvg(report)}</div>`)}
${sections(report)}
<footer>Run ${report.run} of Backstay, from its journal. Times are UTC.</footer>
</main>
</body>
</html>`.toString()}\n`;
}

/** The timeline as a picture of its own, with its colours inside. */
export function renderTimeline(report: RunReport): string {
  const [head, ...rest] = timelineSvg(report).toString().split('\n');
  return `${[head, `<style>${TIMELINE_STYLE}</style><rect width="100%" height="100%" fill="var(--paper)"/>`, ...rest].join('\n')}\n`;
}

function header(report: RunReport): Markup {
  const { stack, target, outcome, because, startedAt, reason } = report;
  const figures: readonly (readonly [string, string])[] = [
    ['Took', spell(report.time.totalMs)],
    ['Downtime', downtimeInShort(report) ?? 'not measured'],
    ['Data loss', dataLossInShort(report)],
    ['Checks afterwards', checksInShort(report)],
  ];
  return markup`<header>
<p class="soft">Rollback report</p>
<h1>${stack} to ${target.said} <span class="pill ${toneOf(outcome)}">${outcome}</span></h1>
<p class="soft">${moment(startedAt)}, by ${report.by.user}${reason === undefined ? '' : `: ${reason}`}</p>
${because === undefined ? '' : markup`<p>${because}</p>`}
<dl class="figures">${figures.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
</header>`;
}

function toneOf(outcome: RunReport['outcome']): string {
  if (outcome === 'succeeded' || outcome === 'nothing-to-do') return 'good';
  return outcome === 'mixed' || outcome === 'failed' || outcome === 'abandoned' ? 'bad' : 'warn';
}

function checksInShort({ checks: { after } }: RunReport): string {
  if (after.length === 0) return 'not asked';
  const passing = after.filter(({ verdict }) => verdict === 'pass').length;
  return passing === after.length ? `all ${after.length} pass` : `${passing} of ${after.length} pass`;
}

function sections(report: RunReport): readonly Markup[] {
  const { changes, steps, warnings, followUps, phases, downtime } = report;
  const people = peopleOf(report);
  const snapshots = snapshotsOf(report);
  const checks = comparedChecks(report);
  return [
    section('What happened', facts(factsOf(report))),
    followUps.length === 0 ? markup`` : section('Follow-ups', list(followUps)),
    section(
      'Checks before and after',
      checks.length === 0
        ? markup`<p>No checks were measured.</p>`
        : table(
            ['Check', 'Before', 'After'],
            checks.map(({ name, before, after }) => [name, verdict(before), verdict(after)]),
          ),
    ),
    report.observation === undefined
      ? markup``
      : section(
          'What came after',
          table(
            ['Watched', 'From', 'Verdict'],
            observedRows(report).map((row) => [
              row.subject,
              markup`<span class="soft tight">${row.at === undefined ? '' : row.at.slice(11, 19)}</span>`,
              verdict(row),
            ]),
          ),
        ),
    section(
      'What changed',
      changes.length === 0
        ? markup`<p>Nothing: live was at the target.</p>`
        : table(
            ['Object', 'Action', 'What'],
            changes.map(({ key, action, fields, reason }) => [
              displayName(key),
              action,
              reason ??
                markup`<code>${fields.slice(0, 3).join(', ')}</code>${fields.length > 3 ? ` and ${fields.length - 3} more` : ''}`,
            ]),
          ),
    ),
    warnings.length === 0 ? markup`` : section('Warned of', list(warnings)),
    section(
      'What was done',
      table(
        ['Phase', 'Step', 'Began', 'Took', 'Outcome'],
        steps.map((step) => [
          markup`<span class="tight">${step.phase}</span>`,
          step.title,
          step.beganAt === undefined ? '' : markup`<span class="soft tight">${step.beganAt.slice(11, 23)}</span>`,
          number(step.durationMs === undefined ? '' : spell(step.durationMs)),
          markup`<span class="${STATUS[step.status]}">${step.takenBack ? `${step.status}, taken back` : step.status}</span>${step.message === undefined ? '' : markup`<br><span class="soft">${step.message}</span>`}`,
        ]),
      ),
    ),
    downtime.length === 0
      ? markup``
      : section(
          'Downtime',
          table(
            ['Probe', 'From', 'For', 'State', 'Why'],
            downtime.flatMap(({ probe, spans }) =>
              spans.map(({ verdict: state, from, to, reason }) => [
                probe,
                markup`<span class="soft tight">${from.slice(11, 23)}</span>`,
                number(spell(Date.parse(to) - Date.parse(from))),
                markup`<span class="${state === 'up' ? 'good' : state === 'down' ? 'bad' : 'warn'}">${state}</span>`,
                reason,
              ]),
            ),
          ),
        ),
    section(
      'Where the time went',
      markup`${table(
        ['Spent by', 'Time'],
        spentTimes(report).map(([name, ms]) => [name, number(spell(ms))]),
      )}${table(
        ['Phase', 'Time'],
        phases.map(({ phase, durationMs }) => [phase, number(spell(durationMs))]),
      )}`,
    ),
    people.length === 0
      ? markup``
      : section(
          'Who decided what',
          table(
            ['When', 'Who', 'What'],
            people.map(({ at, who, what }) => [moment(at), who, what]),
          ),
        ),
    section('Snapshots and evidence', snapshots.length === 0 ? markup`<p>None was taken.</p>` : list(snapshots)),
  ];
}

const STATUS: Readonly<Record<RunReport['steps'][number]['status'], string>> = {
  pending: 'soft',
  begun: 'warn',
  done: 'good',
  skipped: 'soft',
  failed: 'bad',
  warned: 'warn',
};

type Cell = string | Markup;

function section(title: string, body: Markup): Markup {
  return markup`<section><h2>${title}</h2>${body}</section>\n`;
}

function list(lines: readonly string[]): Markup {
  return markup`<ul>${lines.map((line) => markup`<li>${line}</li>`)}</ul>`;
}

class NumberCell extends Markup {}

function number(text: string): Markup {
  return new NumberCell(markup`${text}`.text);
}

function table(head: readonly string[], rows: readonly (readonly Cell[])[]): Markup {
  const cell = (value: Cell): Markup =>
    value instanceof NumberCell ? markup`<td class="number">${value}</td>` : markup`<td>${value}</td>`;
  return markup`<div class="card"><table><thead><tr>${head.map((name) => markup`<th scope="col">${name}</th>`)}</tr></thead><tbody>${rows.map(
    (row) => markup`<tr>${row.map(cell)}</tr>`,
  )}</tbody></table></div>`;
}

function facts(rows: ReturnType<typeof factsOf>): Markup {
  return markup`<div class="card"><table><tbody>${rows.map(
    ([name, value]) => markup`<tr><th scope="row">${name}</th><td>${linked(value)}</td></tr>`,
  )}</tbody></table></div>`;
}

/** Only what is a web address as a whole becomes a link. */
function linked(value: string): Cell {
  return /^https?:\/\/\S+$/.test(value) && URL.canParse(value)
    ? markup`<a href="${value}" rel="noopener noreferrer">${value}</a>`
    : value;
}

function verdict(result: Pick<RunReport['checks']['after'][number], 'verdict' | 'reason'> | undefined): Cell {
  if (result === undefined) return markup`<span class="soft">not asked</span>`;
  const tone = result.verdict === 'pass' ? 'good' : result.verdict === 'fail' ? 'bad' : 'warn';
  return markup`<span class="${tone}">${result.verdict}</span> <span class="soft">${result.reason}</span>`;
}
