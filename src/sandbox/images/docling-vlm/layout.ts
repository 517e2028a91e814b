import type { Page } from '../pdf/fragments.ts';
import { rowsOf, type Segment, segmentsOf } from '../pdf/segments.ts';
import type { LayoutModel } from './model.ts';

/** What stands on a page, in reading order. */
export type Block =
  | { readonly kind: 'line'; readonly segment: Segment }
  | { readonly kind: 'table'; readonly rows: readonly (readonly string[])[] };

/** Widest share of the page's width that a table's cell takes on average; text columns are wider. */
const CELL_WIDTH = 0.25;

/** Reading order of every page: running heads dropped, tables found, columns read one after the other. */
export function layoutOf(pages: readonly Page[], model: LayoutModel): readonly (readonly Block[])[] {
  const segments = pages.map((page) => segmentsOf(page.fragments, model.cellGap));
  const repeated = repeatedTexts(pages, segments, model);
  return pages.map((page, index) => {
    const content = (segments[index] ?? []).filter(
      (segment) => !(inMargin(segment, page, model) && repeated.has(pattern(segment.text))),
    );
    return readPage(content, page, model);
  });
}

/** A page number counts as the same text on every page. */
const pattern = (text: string): string => text.replace(/\d+/g, '#');

function inMargin({ y }: Segment, { height }: Page, { furniture }: LayoutModel): boolean {
  return y < height * furniture || y > height * (1 - furniture);
}

function repeatedTexts(
  pages: readonly Page[],
  segments: readonly (readonly Segment[])[],
  model: LayoutModel,
): ReadonlySet<string> {
  const seen = new Map<string, number>();
  for (const [index, page] of pages.entries()) {
    const texts = new Set(
      (segments[index] ?? []).filter((segment) => inMargin(segment, page, model)).map(({ text }) => pattern(text)),
    );
    for (const text of texts) seen.set(text, (seen.get(text) ?? 0) + 1);
  }
  return new Set([...seen].filter(([, count]) => count > 1).map(([text]) => text));
}

function readPage(segments: readonly Segment[], page: Page, model: LayoutModel): Block[] {
  const widestCell = page.width * CELL_WIDTH;
  const wide = takeTables(segments, model, 3, widestCell);
  const gutter = gutterOf(wide.rest, page);
  if (gutter === undefined) return inOrder([...wide.rest.map(lineBlock), ...wide.tables]);
  // A table beside the gutter belongs to its column; one across it, like a title, ends the columns above.
  const across = wide.tables.filter(({ x0, x1 }) => x0 < gutter && x1 > gutter);
  const within = wide.tables.filter((table) => !across.includes(table)).flatMap(({ segments: cells }) => cells);
  const lines = [...wide.rest, ...within];
  const crossing = fromTop([...lines.filter((s) => s.x0 < gutter && s.x1 > gutter).map(lineBlock), ...across]);
  const columns = lines.filter((s) => s.x1 <= gutter || s.x0 >= gutter);
  const readColumn = (column: readonly Segment[]): Block[] => {
    const inner = takeTables(column, model, 2, widestCell);
    return inOrder([...inner.rest.map(lineBlock), ...inner.tables]);
  };
  const blocks: Block[] = [];
  let top = Infinity;
  for (const { y, block } of [...crossing, { y: -Infinity, block: undefined }]) {
    const band = columns.filter((s) => s.y < top && s.y >= y);
    for (const side of [band.filter((s) => s.x1 <= gutter), band.filter((s) => s.x0 >= gutter)])
      blocks.push(...readColumn(side));
    if (block !== undefined) blocks.push(block);
    top = y;
  }
  return blocks;
}

interface Placed {
  readonly y: number;
  readonly block: Block;
}

const lineBlock = (segment: Segment): Placed => ({ y: segment.y, block: { kind: 'line', segment } });
const fromTop = <P extends Placed>(placed: readonly P[]): P[] => placed.toSorted((a, b) => b.y - a.y);
const inOrder = (placed: readonly Placed[]): Block[] => fromTop(placed).map(({ block }) => block);

interface FoundTable extends Placed {
  readonly x0: number;
  readonly x1: number;
  readonly segments: readonly Segment[];
}

/** Runs of rows that have the same number of cells, begin at the same places and are narrow. */
function takeTables(
  segments: readonly Segment[],
  model: LayoutModel,
  leastCells: number,
  widest: number,
): { readonly tables: readonly FoundTable[]; readonly rest: readonly Segment[] } {
  const tables: FoundTable[] = [];
  const rest: Segment[] = [];
  let run: Segment[][] = [];
  const flush = (): void => {
    const cells = run.flat();
    const width = cells.reduce((sum, { x0, x1 }) => sum + x1 - x0, 0) / Math.max(1, cells.length);
    const isTable = run.length >= model.tableRows && width <= widest;
    if (isTable) {
      const block: Block = { kind: 'table', rows: run.map((row) => row.map(({ text }) => text)) };
      const [x0, x1] = [Math.min(...cells.map((cell) => cell.x0)), Math.max(...cells.map((cell) => cell.x1))];
      tables.push({ y: run[0]?.[0]?.y ?? 0, x0, x1, segments: cells, block });
    }
    if (!isTable) rest.push(...cells);
    run = [];
  };
  for (const row of rowsOf(segments)) {
    const previous = run.at(-1);
    if (previous !== undefined && !aligned(previous, row)) flush();
    if (row.length >= leastCells) run.push(row);
    else {
      flush();
      rest.push(...row);
    }
  }
  flush();
  return { tables, rest };
}

function aligned(a: readonly Segment[], b: readonly Segment[]): boolean {
  return a.length === b.length && a.every((cell, index) => Math.abs(cell.x0 - (b[index]?.x0 ?? Infinity)) <= cell.size);
}

/** The middle of the emptiest strip between two columns; undefined when the page has one column. */
function gutterOf(segments: readonly Segment[], { width }: Page): number | undefined {
  const narrow = segments.filter((s) => s.x1 - s.x0 < width * 0.55);
  let best: { readonly from: number; readonly to: number; readonly crossing: number } | undefined;
  for (let x = width * 0.35; x <= width * 0.65; x += 2) {
    const left = narrow.filter((s) => s.x1 <= x).length;
    const right = narrow.filter((s) => s.x0 >= x).length;
    const crossing = narrow.length - left - right;
    if (crossing > narrow.length * 0.05 || Math.min(left, right) < narrow.length * 0.1) continue;
    if (best === undefined || crossing < best.crossing) best = { from: x, to: x, crossing };
    else if (crossing === best.crossing) best = { ...best, to: x };
  }
  return best === undefined ? undefined : (best.from + best.to) / 2;
}
