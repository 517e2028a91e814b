import type { KubeObject } from './object.ts';
import type { ObjectPattern } from './stack.ts';

/** `*` stands for any text, nothing else is special. An absent glob matches everything. */
export function matchesGlob(glob: string | undefined, text: string): boolean {
  if (glob === undefined || glob === '*') return true;
  if (!glob.includes('*')) return glob === text;
  const source = glob.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${source.join('.*')}$`, 's').test(text);
}

export function matchesPattern(pattern: ObjectPattern, object: KubeObject): boolean {
  return (
    matchesGlob(pattern.kind, object.kind) &&
    matchesGlob(pattern.name, object.metadata.name) &&
    (pattern.namespace === undefined || matchesGlob(pattern.namespace, object.metadata.namespace ?? ''))
  );
}
