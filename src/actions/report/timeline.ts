import type { RunReport } from '../../rollback/index.ts';
import { type Markup, markup } from './markup.ts';
import { type TimeScale, timeScale } from './time-scale.ts';
import { type Bar, type Lane, lanesOf } from './timeline-rows.ts';
import { moment, spell } from './words.ts';

const WIDTH = 1000;
const LEFT = 250;
const RIGHT = WIDTH - 24;
const TOP = 34;
const ROW = 20;
const HEAD = 27;
const BAR = 11;
/** Pixels of a character at the size of labels, on the safe side. */
const GLYPH = 6.1;
const LABEL_CHARACTERS = 36;

/** The run as a picture: SVG without scripts, whose colours come from `TIMELINE_STYLE`. */
export function timelineSvg(report: RunReport): Markup {
  const lanes = lanesOf(report);
  const from = Date.parse(report.startedAt);
  const to = from + report.time.totalMs;
  const idle = report.resumes.flatMap(({ idleSince, at }) =>
    idleSince === undefined ? [] : [{ from: Date.parse(idleSince), to: Date.parse(at) }],
  );
  const scale = timeScale({ from, to, idle }, LEFT, RIGHT);
  const height = TOP + lanes.reduce((sum, lane) => sum + heightOf(lane), 0) + 12;
  let y = TOP;
  const drawn = lanes.map((lane) => {
    const at = y;
    y += heightOf(lane);
    return drawLane(lane, at, scale);
  });
  const title = `Timeline of run ${report.run}`;
  const desc = `${report.stack} to ${report.target.said}: ${report.outcome} after ${spell(report.time.totalMs)}, from ${moment(report.startedAt)}. The tables below say the same in words.`;
  return markup`<svg class="timeline" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="timeline-title timeline-desc">
<title id="timeline-title">${title}</title>
<desc id="timeline-desc">${desc}</desc>
<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground" width="6" height="6"/><line class="hatch-line" x1="0" y1="0" x2="0" y2="6"/></pattern></defs>
${drawAxis(scale, height)}
${drawn}
${report.resumes.map(({ at, by }) => drawResume(scale.x(Date.parse(at)), by.user, height))}
</svg>`;
}

function heightOf({ rows, more }: Lane): number {
  return HEAD + rows.length * ROW + (more === undefined ? 0 : ROW);
}

function drawAxis({ ticks, breaks }: TimeScale, height: number): Markup {
  return markup`${ticks.map(
    ({ x, label }) =>
      markup`<line class="grid" x1="${x}" y1="22" x2="${x}" y2="${height - 8}"/><text class="tick" x="${x}" y="15" text-anchor="middle">${label}</text>`,
  )}${breaks.map(
    ({ left, right, ms }) =>
      markup`<rect class="gap" x="${left}" y="22" width="${right - left}" height="${height - 30}"><title>nothing ran for ${spell(ms)}</title></rect><text class="tick" x="${(left + right) / 2}" y="15" text-anchor="middle">${spell(ms)}</text>`,
  )}`;
}

function drawResume(x: number, who: string, height: number): Markup {
  return markup`<line class="resume" x1="${x}" y1="20" x2="${x}" y2="${height - 8}"><title>resumed by ${who}</title></line>`;
}

function drawLane({ title, rows, more }: Lane, top: number, scale: TimeScale): Markup {
  const isSingle = rows.length === 1 && title === 'Phases';
  const head = markup`<text class="lane" x="12" y="${top + 17}">${title}</text><line class="rule" x1="12" y1="${top + 3}" x2="${RIGHT}" y2="${top + 3}"/>`;
  const lines = rows.map((row, i) => {
    const y = top + HEAD - 4 + i * ROW;
    const label = isSingle
      ? ''
      : markup`<text class="name" x="12" y="${y + 12}">${shortened(row.label)}<title>${row.label}</title></text>`;
    return markup`${label}${row.bars.map((bar, at) => drawBar(bar, y + 2, scale, { inside: isSingle, next: row.bars[at + 1] }))}`;
  });
  const rest =
    more === undefined
      ? ''
      : markup`<text class="tick" x="12" y="${top + HEAD + rows.length * ROW + 8}">${more}</text>`;
  return markup`<g>${head}${lines}${rest}</g>`;
}

function drawBar(
  { from, to, tone, said, label }: Bar,
  y: number,
  scale: TimeScale,
  { inside, next }: { readonly inside: boolean; readonly next: Bar | undefined },
): Markup {
  const x = scale.x(from);
  const width = Math.max(2, scale.x(to) - x);
  const rect = markup`<rect class="bar ${tone}" x="${x}" y="${y}" width="${round(width)}" height="${inside ? BAR + 5 : BAR}" rx="2"><title>${said}</title></rect>`;
  if (label === undefined) return rect;
  const needed = label.length * GLYPH + 8;
  if (inside) {
    if (needed > width) return rect;
    return markup`${rect}<text class="on-bar" x="${round(x + width / 2)}" y="${y + 12}" text-anchor="middle">${label}</text>`;
  }
  const free = (next === undefined ? RIGHT + 20 : scale.x(next.from)) - (x + width);
  if (needed <= free)
    return markup`${rect}<text class="took" x="${round(x + width + 5)}" y="${y + 9.5}">${label}</text>`;
  if (needed <= width)
    return markup`${rect}<text class="on-bar" x="${round(x + width - 5)}" y="${y + 9.5}" text-anchor="end">${label}</text>`;
  if (x - LEFT < needed) return rect;
  return markup`${rect}<text class="took" x="${round(x - 5)}" y="${y + 9.5}" text-anchor="end">${label}</text>`;
}

function shortened(label: string): string {
  return label.length <= LABEL_CHARACTERS ? label : `${label.slice(0, LABEL_CHARACTERS - 1)}…`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
