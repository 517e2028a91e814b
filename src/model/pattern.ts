import type { KubeObject } from './object.ts';
import type { ObjectPattern } from './stack.ts';

/**
 * `*` stands for any text, nothing else is special. An absent glob matches everything. Its time grows with the two lengths
 * alone: globs come from settings, and texts from clusters and requests.
 */
export function matchesGlob(glob: string | undefined, text: string): boolean {
  if (glob === undefined) return true;
  const [first = '', ...rest] = glob.split('*');
  if (rest.length === 0) return glob === text;
  if (!text.startsWith(first)) return false;
  const last = rest.pop() ?? '';
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

export function matchesPattern(pattern: ObjectPattern, object: KubeObject): boolean {
  return (
    matchesGlob(pattern.kind, object.kind) &&
    matchesGlob(pattern.name, object.metadata.name) &&
    (pattern.namespace === undefined || matchesGlob(pattern.namespace, object.metadata.namespace ?? ''))
  );
}
