import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/**
 * What a value looks like wherever it stands in clear: as it is, with JSON and URL escapes, in hex, by its unkeyed digest,
 * and in base64 at each of the three places that it can have in a longer text.
 */
export function disguises(value: string): ReadonlyMap<string, string> {
  const bytes = Buffer.from(value);
  const found = new Map([
    ['as it is', value],
    ['URL-escaped', encodeURIComponent(value)],
    ['in JSON', JSON.stringify(value).slice(1, -1)],
    ['in hex', bytes.toString('hex')],
    ['as its SHA-256', createHash('sha256').update(bytes).digest('hex')],
  ]);
  for (const shift of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    // The first and the last digits also depend on what stands beside the value.
    const first = Math.ceil((shift * 8) / 6);
    const last = Math.floor(((shift + bytes.length) * 8) / 6);
    found.set(`in base64 at ${shift}`, text.slice(first, last));
    found.set(`in base64url at ${shift}`, text.slice(first, last).replaceAll('+', '-').replaceAll('/', '_'));
  }
  return found;
}

/** Every regular file below a folder. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** `FILE: LABEL DISGUISE` for each place where one of the values stands in clear. */
export async function findInFiles(
  folder: string,
  values: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const hits: string[] = [];
  for (const file of await filesBelow(folder)) {
    const bytes = await readFile(file);
    hits.push(...findIn(bytes, values).map((hit) => `${file}: ${hit}`));
    if (bytes[0] === 0x1f && bytes[1] === 0x8b)
      hits.push(...findIn(gunzipSync(bytes), values).map((hit) => `${file} (gzip): ${hit}`));
  }
  return hits;
}

export function findIn(bytes: Buffer, values: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(values).flatMap(([label, value]) =>
    [...disguises(value)].flatMap(([how, text]) => (bytes.includes(text) ? [`${label} ${how}`] : [])),
  );
}
