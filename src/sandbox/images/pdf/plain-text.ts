import type { Page } from './fragments.ts';
import { sameLine, type Segment, segmentsOf } from './segments.ts';

/** A vertical step of more than this many font sizes separates paragraphs. */
const PARAGRAPH = 1.7;

/**
 * MinerU's way: text as lines, in the order in which the PDF itself draws it. It knows nothing of columns, headings or
 * tables, keeps running heads and page numbers, and leaves words that are hyphenated at a line's end in two.
 */
export function plainText(pages: readonly Page[]): string {
  return pages.map(pageText).join('\n\n');
}

function pageText({ fragments }: Page): string {
  let text = '';
  let last: Segment | undefined;
  for (const segment of segmentsOf(fragments, Infinity)) {
    if (last !== undefined)
      text += sameLine(last, segment)
        ? ' '
        : last.y - segment.y > PARAGRAPH * last.size || segment.y > last.y
          ? '\n\n'
          : '\n';
    text += segment.text;
    last = segment;
  }
  return text;
}
