/**
 * Writes the canary documents of the Medical_KG example and what Docling makes of them:
 * `node src/sandbox/images/pdf/make-canaries.ts [DIR]`. The same bytes every time; the results are committed.
 */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PDFDocument, type PDFFont, type PDFPage, StandardFonts } from 'pdf-lib';
import { loadModel } from '../docling-vlm/model.ts';
import { markdownOf } from '../docling-vlm/markdown.ts';
import { CANARIES, type Canary, type Piece } from './canary-texts.ts';
import { readPdf } from './fragments.ts';

const [PAGE_WIDTH, PAGE_HEIGHT] = [595, 842];
const MARGIN = 56;
const GUTTER = 24;
const COLUMN = (PAGE_WIDTH - 2 * MARGIN - GUTTER) / 2;
const BODY = 11;
const LEADING = 15;
/** Fixed, so that the bytes are the same on every day. */
const DATE = new Date('2026-01-15T09:00:00Z');

interface Pen {
  page: PDFPage;
  column: number;
  y: number;
  /** Where the columns of this page begin, below a title. */
  top: number;
}

/** The PDF of one canary: a title over two columns with headings and a table. */
export async function drawCanary(canary: Canary): Promise<Uint8Array> {
  const document = await PDFDocument.create({ updateMetadata: false });
  document.setTitle(canary.title);
  document.setProducer('Backstay canaries');
  document.setCreationDate(DATE);
  document.setModificationDate(DATE);
  const roman = await document.embedFont(StandardFonts.TimesRoman);
  const bold = await document.embedFont(StandardFonts.TimesRomanBold);
  const newPage = (): Pen => {
    const page = document.addPage([PAGE_WIDTH, PAGE_HEIGHT]);
    if (canary.runningHead !== undefined) {
      page.drawText(canary.runningHead, { x: MARGIN, y: PAGE_HEIGHT - 34, size: 8, font: roman });
      page.drawText(`Page ${document.getPageCount()}`, { x: PAGE_WIDTH - MARGIN - 30, y: 30, size: 8, font: roman });
    }
    return { page, column: 0, y: PAGE_HEIGHT - 80, top: PAGE_HEIGHT - 80 };
  };
  let pen = newPage();
  pen.page.drawText(canary.title, { x: MARGIN, y: pen.y, size: 20, font: bold });
  pen.top = pen.y - 34;
  pen.y = pen.top;

  const room = (needed: number): void => {
    if (pen.y - needed >= MARGIN) return;
    if (pen.column === 0) Object.assign(pen, { column: 1, y: pen.top });
    else pen = newPage();
  };
  const x = (): number => MARGIN + pen.column * (COLUMN + GUTTER);
  for (const piece of canary.pieces) {
    if (piece.kind === 'heading') {
      room(4 * LEADING);
      if (pen.y < pen.top) pen.y -= 8;
      pen.page.drawText(piece.text, { x: x(), y: pen.y, size: 13, font: bold });
      pen.y -= 22;
    } else if (piece.kind === 'text') {
      for (const line of brokenInto(piece.text, roman)) {
        room(LEADING);
        pen.page.drawText(line, { x: x(), y: pen.y, size: BODY, font: roman });
        pen.y -= LEADING;
      }
      pen.y -= 8;
    } else drawTable(piece);
  }
  function drawTable({ rows, wide }: Extract<Piece, { kind: 'table' }>): void {
    room(rows.length * LEADING + 16);
    pen.y -= 4;
    const step = (wide ? PAGE_WIDTH - 2 * MARGIN : COLUMN) / (rows[0]?.length ?? 1);
    for (const [index, row] of rows.entries()) {
      for (const [cell, text] of row.entries()) {
        pen.page.drawText(text, {
          x: (wide ? MARGIN : x()) + cell * step,
          y: pen.y,
          size: BODY,
          font: index === 0 ? bold : roman,
        });
      }
      pen.y -= LEADING;
    }
    pen.y -= 10;
    if (wide) pen.top = pen.y;
  }
  return await document.save({ useObjectStreams: false, updateFieldAppearances: false });
}

/** Lines that fit a column. A `~` says where a word may be hyphenated. */
function brokenInto(text: string, font: PDFFont): string[] {
  const fits = (line: string): boolean => font.widthOfTextAtSize(line.replaceAll('~', ''), BODY) <= COLUMN;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (fits(longer)) {
      line = longer;
      continue;
    }
    const [head = '', tail] = word.split('~');
    const split = tail !== undefined && fits(`${line} ${head}-`);
    lines.push(split ? `${line} ${head}-` : line);
    line = split ? tail : word;
  }
  return [...lines, line].map((each) => each.replaceAll('~', ''));
}

/** What is recorded of a canary: Docling's own result for exactly these bytes. */
export async function recordDocling(pdf: Uint8Array): Promise<Readonly<Record<string, unknown>>> {
  const found = loadModel('layout-1');
  if (!found.loaded) throw new TypeError(found.reason);
  const pages = await readPdf(pdf);
  const text = markdownOf(pages, found.model);
  const words = text.match(/[\p{L}\p{N}]+/gu)?.length ?? 0;
  return {
    backend: 'docling',
    model: found.model.name,
    document: `sha256:${createHash('sha256').update(pdf).digest('hex')}`,
    pages: pages.length,
    words,
    text,
  };
}

if (import.meta.main) {
  const dir = process.argv[2] ?? fileURLToPath(new URL('../../../../examples/medical-kg/canaries/', import.meta.url));
  await mkdir(dir, { recursive: true });
  for (const canary of CANARIES) {
    const pdf = await drawCanary(canary);
    await writeFile(join(dir, `${canary.name}.pdf`), pdf);
    await writeFile(join(dir, `${canary.name}.docling.json`), `${JSON.stringify(await recordDocling(pdf), null, 2)}\n`);
    process.stdout.write(`${canary.name}.pdf ${pdf.length} bytes\n`);
  }
}
