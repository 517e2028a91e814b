import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VERSION } from '../../src/version.ts';

const root = join(import.meta.dirname, '..', '..');
const LONGEST = 500;

/** Files of ours that are longer than a reader should have to hold in mind, with their length. */
function tooLong(files: readonly { readonly path: string; readonly text: string }[]): readonly string[] {
  return files
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > LONGEST)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
}

describe('the size of a file', () => {
  it(`stays within ${LONGEST} lines everywhere`, () => {
    // Walked and not asked of git, which refuses a checkout that belongs to somebody else.
    const paths = ['src', 'test', 'scripts'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((path) => /\.(tsx?|mjs)$/.test(path))
        .map((path) => join(folder, path)),
    );
    expect(paths.length).toBeGreaterThan(100);
    expect(tooLong(paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') })))).toEqual([]);
  });

  it('is counted in lines, and one too many is seen', () => {
    const lines = (count: number) => ({ path: `${count}.ts`, text: 'x\n'.repeat(count) });
    expect(tooLong([lines(LONGEST), lines(LONGEST + 1)])).toEqual(['501.ts: 501 lines']);
  });
});

describe('the version', () => {
  it('in src is the one of package.json', () => {
    expect(VERSION).toBe(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version);
  });
});
