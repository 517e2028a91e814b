import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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
    const listed = execFileSync(
      'git',
      ['ls-files', '-z', '--cached', '--others', '--exclude-standard', 'src', 'test', 'scripts'],
      {
        cwd: root,
        encoding: 'utf8',
      },
    );
    const paths = listed.split('\0').filter((path) => /\.(ts|mjs)$/.test(path));
    expect(paths.length).toBeGreaterThan(100);
    const there = paths.flatMap((path) => {
      try {
        return [{ path, text: readFileSync(join(root, path), 'utf8') }];
      } catch {
        return [];
      }
    });
    expect(tooLong(there)).toEqual([]);
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
