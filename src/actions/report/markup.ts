/** Text that is markup already. Only `markup` makes it, so that nothing else reaches a page without being escaped. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

type Part = string | number | Markup | undefined | readonly Part[];

/** HTML and SVG: everything that is put in is escaped, in text and in quoted attributes alike; lists are joined. */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(strings.map((text, i) => text + (i < parts.length ? written(parts[i]) : '')).join(''));
}

function written(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(written).join('');
  return escapeMarkup(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
// Characters that XML does not have, and those that turn the direction of what follows on a page.
const UNFIT = /(?![\t\n\r])[\p{Cc}\p{Bidi_Control}\ufffe\uffff]/gu;

export function escapeMarkup(raw: string): string {
  return raw
    .toWellFormed()
    .replaceAll(UNFIT, '\ufffd')
    .replaceAll(/[&<>"']/g, (found) => ENTITIES[found] ?? found);
}
