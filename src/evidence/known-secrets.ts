import type { KubeObject } from '../model/index.ts';
import { isSecretName, passwordsIn } from './patterns.ts';

/** A value that must not leave, and what it is called where it stood. */
export interface KnownSecret {
  readonly name: string;
  readonly value: string;
}

/** Shorter values are everyday words and numbers: replacing them would blacken the page and hide nothing. */
const SHORTEST = 6;
/** A line of a longer value, such as of a key file, is known by itself: a log has a time in front of each. */
const SHORTEST_LINE = 16;

/**
 * Every secret value that the live objects hold: values of Secrets, the passwords and secret-looking leaves inside of
 * them, and passwords of connection strings that stand in other objects. A value that is openly the name of something in
 * the stack is no secret (`POSTGRES_USER: postgres`), unless its own name says that it is one.
 */
export function knownSecrets(objects: readonly KubeObject[]): readonly KnownSecret[] {
  const open = openNames(objects);
  const found: KnownSecret[] = objects.flatMap((object) =>
    object.kind === 'Secret' && object.apiVersion === 'v1'
      ? ofSecret(object)
      : passwordsIn(JSON.stringify(object)).map((value) => ({ name: `${object.metadata.name}.url`, value })),
  );
  const distinct = new Map<string, KnownSecret>();
  for (const secret of found) {
    if (secret.value.length < SHORTEST || (open.has(secret.value) && !isSecretName(secret.name))) continue;
    if (!distinct.has(secret.value)) distinct.set(secret.value, secret);
  }
  return [...distinct.values()];
}

function ofSecret(secret: KubeObject): readonly KnownSecret[] {
  const data = Object.entries((secret['data'] ?? {}) as Readonly<Record<string, unknown>>);
  return data.flatMap(([key, base64]) => {
    if (typeof base64 !== 'string') return [];
    const bytes = Buffer.from(base64, 'base64');
    const value = bytes.toString('utf8');
    const name = `${secret.metadata.name}.${key}`.replaceAll(/[^\w.-]/g, '_');
    // What is no text is known by its base64 alone: no log prints such bytes.
    if (!Buffer.from(value).equals(bytes)) return [{ name, value: base64 }];
    return [value, value.trim(), ...partsOf(value)].map((part) => ({ name, value: part }));
  });
}

/** Secrets inside of a value: lines of key files, passwords of connection strings, leaves of JSON, lines of settings. */
function partsOf(value: string): readonly string[] {
  const lines = value.split('\n').map((line) => line.trim());
  const long =
    lines.length > 1 ? lines.filter((line) => line.length >= SHORTEST_LINE && !line.startsWith('-----')) : [];
  const settings = lines.flatMap((line) => {
    const [, name = '', said = ''] = /^["']?([\w.-]+)["']?\s*[:=]\s*["']?(.*?)["',]*$/.exec(line) ?? [];
    return isSecretName(name) ? [said] : [];
  });
  return [...passwordsIn(value), ...long, ...settings, ...leavesOf(value)];
}

function leavesOf(value: string): readonly string[] {
  if (!/^\s*[{[]/.test(value)) return [];
  const leaves: string[] = [];
  try {
    JSON.parse(value, (key, leaf: unknown) => {
      if (typeof leaf === 'string' && (isSecretName(key) || key === 'auth')) leaves.push(leaf);
      return leaf;
    });
  } catch {
    // Not JSON after all.
  }
  return leaves;
}

function openNames(objects: readonly KubeObject[]): ReadonlySet<string> {
  return new Set(
    objects.flatMap(({ kind, metadata }) => [
      kind,
      metadata.name,
      ...(metadata.namespace === undefined ? [] : [metadata.namespace]),
      ...Object.values(metadata.labels ?? {}),
    ]),
  );
}
