import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as pdfjs from 'pdfjs-dist/legacy/build/pdf.mjs';

/** A piece of text as the PDF places it. Points; y grows upwards, as in PDF. */
export interface Fragment {
  readonly text: string;
  readonly x: number;
  /** Baseline. */
  readonly y: number;
  readonly width: number;
  /** Font size. */
  readonly size: number;
}

export interface Page {
  readonly width: number;
  readonly height: number;
  /** In the order of the content stream. */
  readonly fragments: readonly Fragment[];
}

/** The bytes are no PDF that can be read. */
export class BadPdf extends Error {
  override readonly name = 'BadPdf';
}

let library: Promise<typeof pdfjs> | undefined;

/** Loads the PDF library; worth doing before the first document, because it takes about 0.1 s. */
export async function loadPdfLibrary(): Promise<typeof pdfjs> {
  library ??= import('pdfjs-dist/legacy/build/pdf.mjs');
  return await library;
}

/** Every piece of text of every page. Throws BadPdf. */
export async function readPdf(pdf: Uint8Array): Promise<readonly Page[]> {
  const { getDocument, VerbosityLevel } = await loadPdfLibrary();
  const fonts = join(dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json')), 'standard_fonts/');
  // A copy: the library takes the buffer over.
  const task = getDocument({
    data: new Uint8Array(pdf),
    standardFontDataUrl: fonts,
    disableFontFace: true,
    verbosity: VerbosityLevel.ERRORS,
  });
  try {
    const document = await task.promise;
    const pages: Page[] = [];
    for (let number = 1; number <= document.numPages; number += 1) {
      const page = await document.getPage(number);
      const { width, height } = page.getViewport({ scale: 1 });
      const { items } = await page.getTextContent();
      pages.push({ width, height, fragments: items.flatMap((item) => ('str' in item ? fragmentOf(item) : [])) });
    }
    return pages;
  } catch (error) {
    throw new BadPdf(error instanceof Error ? error.message : String(error), { cause: error });
  } finally {
    await task.destroy();
  }
}

function fragmentOf(item: {
  readonly str: string;
  readonly transform: readonly unknown[];
  readonly width: number;
  readonly height: number;
}): Fragment[] {
  if (item.str.trim() === '') return [];
  const [, , c, d, x, y] = item.transform.map(Number);
  return [{ text: item.str, x: x ?? 0, y: y ?? 0, width: item.width, size: Math.hypot(c ?? 0, d ?? 0) || item.height }];
}
