const PATTERN = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** Puts values in place of `{{name}}`. A name without a value stays as it is. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(PATTERN, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? whole) : whole,
  );
}

/** The names in a text, in order, those that come twice twice. */
export function placeholdersIn(text: string): readonly string[] {
  return [...text.matchAll(PATTERN)].map((match) => match[1] ?? '');
}
