import { readFileSync } from 'node:fs';

/**
 * Numbers by which a page's layout is judged. In place of the weights of a vision model: a file of parameters that the
 * service loads by name and cannot work without.
 */
export interface LayoutModel {
  readonly name: string;
  /** Gap between pieces of one line, in font sizes, from which they are separate. */
  readonly cellGap: number;
  /** Font size over body size, from which a line is a heading. */
  readonly headingRatio: number;
  /** Step between lines, in font sizes, from which a new paragraph begins. */
  readonly paragraphGap: number;
  /** Rows from which aligned cells are a table. */
  readonly tableRows: number;
  /** Share of the page's height, at top and bottom, where running heads and page numbers stand. */
  readonly furniture: number;
}

export type LoadedModel =
  | { readonly loaded: true; readonly model: LayoutModel }
  | { readonly loaded: false; readonly reason: string };

const NUMBERS = ['cellGap', 'headingRatio', 'paragraphGap', 'tableRows', 'furniture'] as const;

/** Reads `models/<name>.json` beside this module. */
export function loadModel(name: string): LoadedModel {
  if (!/^[\w.-]+$/.test(name)) return { loaded: false, reason: `${name} is no model name` };
  try {
    const model = JSON.parse(readFileSync(new URL(`./models/${name}.json`, import.meta.url), 'utf8')) as Record<
      string,
      unknown
    >;
    const missing = NUMBERS.filter((key) => typeof model[key] !== 'number');
    if (missing.length > 0) return { loaded: false, reason: `model ${name} lacks ${missing.join(', ')}` };
    return { loaded: true, model: { ...(model as unknown as LayoutModel), name } };
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { loaded: false, reason: absent ? `there is no model ${name}` : `model ${name} cannot be read` };
  }
}
