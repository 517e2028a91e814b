import { randomInt } from 'node:crypto';

/** What a RandomPassword is made of, with the official plugin's defaults filled in. */
export interface PasswordRules {
  readonly length: number;
  readonly lower: boolean;
  readonly upper: boolean;
  readonly numeric: boolean;
  readonly special: boolean;
  readonly minLower: number;
  readonly minUpper: number;
  readonly minNumeric: number;
  readonly minSpecial: number;
  readonly overrideSpecial?: string;
}

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const SPECIAL = '!@#$%&*()-_=+[]{}<>:?';

interface CharacterClass {
  readonly characters: string;
  readonly allowed: boolean;
  readonly least: number;
}

function classesOf(rules: PasswordRules): readonly CharacterClass[] {
  return [
    { characters: LOWER, allowed: rules.lower, least: rules.minLower },
    { characters: LOWER.toUpperCase(), allowed: rules.upper, least: rules.minUpper },
    { characters: DIGITS, allowed: rules.numeric, least: rules.minNumeric },
    { characters: rules.overrideSpecial ?? SPECIAL, allowed: rules.special, least: rules.minSpecial },
  ];
}

/** Why no password fits the rules; undefined when one does. */
export function contradiction(
  rules: PasswordRules,
): { readonly property: string; readonly reason: string } | undefined {
  if (!Number.isInteger(rules.length) || rules.length < 1)
    return { property: 'length', reason: 'must be a whole number of at least 1' };
  const least = rules.minLower + rules.minUpper + rules.minNumeric + rules.minSpecial;
  if (least > rules.length) return { property: 'length', reason: `must be at least ${least}, the sum of the minimums` };
  const none = classesOf(rules).every(({ allowed, characters }) => !allowed || characters === '');
  return none ? { property: 'length', reason: 'no kind of character is allowed' } : undefined;
}

/** A password by these rules, from the system's random generator, every allowed place equally likely. */
export function makePassword(rules: PasswordRules): string {
  const classes = classesOf(rules);
  const any = classes.map(({ allowed, characters }) => (allowed ? characters : '')).join('');
  const least = classes.flatMap(({ characters, least }) => Array.from({ length: least }, () => pick(characters)));
  const rest = Array.from({ length: rules.length - least.length }, () => pick(any));
  return shuffled([...least, ...rest]).join('');
}

function pick(characters: string): string {
  const all = Array.from(characters);
  return all[randomInt(all.length)] ?? '';
}

function shuffled(items: readonly string[]): readonly string[] {
  const mixed = [...items];
  for (let last = mixed.length - 1; last > 0; last -= 1) {
    const other = randomInt(last + 1);
    [mixed[last], mixed[other]] = [mixed[other] ?? '', mixed[last] ?? ''];
  }
  return mixed;
}
