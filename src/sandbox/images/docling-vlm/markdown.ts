import type { Page } from '../pdf/fragments.ts';
import { type Block, layoutOf } from './layout.ts';
import type { LayoutModel } from './model.ts';

/**
 * Docling's way: Markdown made from where text stands. Larger type becomes headings, lines become paragraphs with their
 * hyphenation undone, aligned cells become tables.
 */
export function markdownOf(pages: readonly Page[], model: LayoutModel): string {
  const blocks = layoutOf(pages, model);
  const sizes = sizesOf(blocks.flat());
  const levels = [...sizes.keys()].filter((size) => size >= bodySize(sizes) * model.headingRatio).sort((a, b) => b - a);
  const parts: string[] = [];
  let paragraph: string[] = [];
  let last: { readonly y: number; readonly size: number; readonly level: number } | undefined;
  const flush = (): void => {
    if (paragraph.length > 0)
      parts.push(`${last !== undefined && last.level > 0 ? `${'#'.repeat(last.level)} ` : ''}${joinLines(paragraph)}`);
    paragraph = [];
  };
  // The end of a page or column ends no paragraph: the sentence may go on at the top of the next.
  for (const block of blocks.flat()) {
    if (block.kind === 'table') {
      flush();
      parts.push(tableOf(block.rows));
      last = undefined;
      continue;
    }
    const { text, y, size } = block.segment;
    const level = levels.indexOf(rounded(size)) + 1;
    const goesOn =
      last !== undefined &&
      last.level === level &&
      (y > last.y ? !endsSentence(paragraph.at(-1)) && level === 0 : last.y - y <= model.paragraphGap * size);
    if (!goesOn) flush();
    paragraph.push(text);
    last = { y, size, level };
  }
  flush();
  return `${parts.join('\n\n')}\n`;
}

const rounded = (size: number): number => Math.round(size * 2) / 2;

/** Characters by font size. */
function sizesOf(blocks: readonly Block[]): ReadonlyMap<number, number> {
  const sizes = new Map<number, number>();
  for (const block of blocks) {
    if (block.kind !== 'line') continue;
    const size = rounded(block.segment.size);
    sizes.set(size, (sizes.get(size) ?? 0) + block.segment.text.length);
  }
  return sizes;
}

function bodySize(sizes: ReadonlyMap<number, number>): number {
  return [...sizes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 0;
}

function endsSentence(text: string | undefined): boolean {
  return text === undefined || /[.!?:]["”)]?$/.test(text);
}

function joinLines(lines: readonly string[]): string {
  return lines.reduce((text, line) =>
    /\p{L}-$/u.test(text) && /^\p{Ll}/u.test(line) ? `${text.slice(0, -1)}${line}` : `${text} ${line}`,
  );
}

function tableOf([head = [], ...body]: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replace(/\|/g, '\\|')).join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...body.map(row)].join('\n');
}
