import type { ObjectPattern } from '../model/index.ts';

/** A bare word is a name; `Kind/name` and `Kind/namespace/name` narrow it. */
export function toPattern(raw: string | ObjectPattern): ObjectPattern {
  if (typeof raw !== 'string') return raw;
  const parts = raw.split('/');
  const name = parts.pop() ?? '*';
  const [kind, namespace] = parts;
  return { name, ...(kind === undefined ? {} : { kind }), ...(namespace === undefined ? {} : { namespace }) };
}
