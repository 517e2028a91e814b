const LIMIT = 5;

/**
 * Paths at which two JSON values differ, at most five, for a message: paths only, because a value may be a secret.
 * Absent and undefined are the same.
 */
export function firstDifferences(a: unknown, b: unknown): readonly string[] {
  const found: string[] = [];
  walk(a, b, '', found);
  return found;
}

function walk(a: unknown, b: unknown, path: string, found: string[]): void {
  if (found.length >= LIMIT || Object.is(a, b)) return;
  if (!isComposite(a) || !isComposite(b) || Array.isArray(a) !== Array.isArray(b)) {
    found.push(path === '' ? '(the whole object)' : path);
    return;
  }
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  for (const key of keys) walk(a[key], b[key], Array.isArray(a) ? `${path}[${key}]` : join(path, key), found);
}

function isComposite(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function join(path: string, key: string): string {
  const segment = /^[A-Za-z0-9_-]+$/.test(key) ? key : `["${key}"]`;
  if (path === '') return segment;
  return segment.startsWith('[') ? `${path}${segment}` : `${path}.${segment}`;
}
