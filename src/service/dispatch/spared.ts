import type { Stack } from '../../model/index.ts';

/** Of the command line, which asks services; no run does. */
const ALWAYS = ['BACKSTAY_TOKEN', 'BACKSTAY_SERVER'];

/** Variables that a run has no use for: keys of those whom the service tells about it, and of nobody else. Pure. */
export function sparedVariables({ notifications, ...rest }: Stack): readonly string[] {
  const used = new Set(variablesIn(rest));
  return [...new Set([...ALWAYS, ...variablesIn(notifications).filter((name) => !used.has(name))])];
}

/** Of each KeySource, however deep. */
function variablesIn(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = 'env' in value && typeof value.env === 'string' ? [value.env] : [];
  return [...own, ...Object.values(value).flatMap(variablesIn)];
}
