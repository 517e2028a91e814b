/**
 * Turns what the CLI prints into a picture for the docs: `FORCE_COLOR=1 backstay … | node scripts/bootstrap.mjs exec node
 * scripts/picture.ts TITLE > docs/pictures/x.svg`. Nothing is drawn that was not printed.
 */
import { text } from 'node:stream/consumers';

const LINE = 18;
const GLYPH = 8.4;
const PAD = 16;
const BAR = 34;
const COLOURS: Readonly<Record<string, string>> = {
  '31': '#ff7b72',
  '32': '#7ee787',
  '33': '#e3b341',
  '36': '#79c0ff',
  '2': '#8b949e',
  '1': '#ffffff',
};
const PLAIN = '#c9d1d9';
const ESC = String.fromCharCode(27);
const CODE = new RegExp(`(${ESC}\\[[0-9;]*m)`);

interface Span {
  readonly text: string;
  readonly colour: string;
  readonly bold: boolean;
}

/** Splits a line at its colour codes. */
function spansOf(line: string): readonly Span[] {
  const spans: Span[] = [];
  let active: readonly string[] = [];
  for (const part of line.split(CODE)) {
    if (!part.startsWith(ESC)) {
      const colour = active.map((code) => COLOURS[code]).findLast((found) => found !== undefined) ?? PLAIN;
      if (part !== '') spans.push({ text: part, colour, bold: active.includes('1') });
      continue;
    }
    for (const code of part.slice(2, -1).split(';')) {
      if (code === '0' || code === '') active = [];
      else if (code === '39') active = active.filter((one) => !/^3\d$/.test(one));
      else if (code === '22') active = active.filter((one) => one !== '1' && one !== '2');
      else active = [...active, code];
    }
  }
  return spans;
}

const escape = (raw: string): string => raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function svgOf(title: string, lines: readonly string[]): string {
  const widths = lines.map((line) => [...spansOf(line)].reduce((sum, span) => sum + span.text.length, 0));
  const width = Math.ceil(Math.max(60, ...widths) * GLYPH + 2 * PAD);
  const height = BAR + lines.length * LINE + PAD;
  const rows = lines.map((line, index) => {
    const spans = spansOf(line).map(
      (span) => `<tspan fill="${span.colour}"${span.bold ? ' font-weight="700"' : ''}>${escape(span.text)}</tspan>`,
    );
    return `<text x="${PAD}" y="${BAR + index * LINE + 12}" xml:space="preserve">${spans.join('')}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escape(title)}</title>`,
    `<rect width="100%" height="100%" rx="8" fill="#0d1117"/>`,
    `<text x="${PAD}" y="21" fill="#8b949e" font-family="ui-monospace,Menlo,Consolas,monospace" font-size="13">${escape(title)}</text>`,
    `<g font-family="ui-monospace,Menlo,Consolas,monospace" font-size="14">`,
    ...rows,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

const [title = 'backstay'] = process.argv.slice(2);
const printed = await text(process.stdin);
process.stdout.write(svgOf(title, printed.trimEnd().split('\n')));
