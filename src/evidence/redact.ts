import type { KnownSecret } from './known-secrets.ts';
import { literalReplacer } from './literals.ts';
import { replacePatterns } from './patterns.ts';
import { variantsOf } from './variants.ts';

export interface Redacted {
  readonly text: string;
  /** How many pieces were replaced. */
  readonly count: number;
}

export type Redactor = (text: string) => Redacted;

/** Replaces every known secret in every likely encoding, then what looks like a secret. `[redacted:NAME]` stands there instead. */
export function redactorOf(known: readonly KnownSecret[]): Redactor {
  const replace = literalReplacer(
    known.flatMap(({ name, value }) => variantsOf(value).map((text) => ({ text, name }))),
  );
  return (text) => {
    const literal = replace(text, (name) => `[redacted:${name}]`);
    const shaped = replacePatterns(literal.text);
    return { text: shaped.text, count: literal.count + shaped.count };
  };
}
