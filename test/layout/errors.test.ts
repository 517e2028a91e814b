import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT_CODES, errorsPage } from '../../scripts/errors-doc.ts';
import { CODES } from '../../src/errors/codes.ts';
import { filesBelow, type SourceFile } from './support/arrows.ts';

const root = join(import.meta.dirname, '..', '..');
const files = filesBelow(join(root, 'src'));

const unused = (sources: readonly SourceFile[]) =>
  Object.keys(CODES).filter((code) => !sources.some(({ text }) => text.includes(`'${code}'`)));

const bareErrors = (sources: readonly SourceFile[]) =>
  sources.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, at) => (/\bthrow new Error\(/.test(line) ? [`${path}:${at + 1}`] : [])),
  );

describe('the table of error codes', () => {
  it('is what docs/errors.md shows (npm run docs:errors writes it)', () => {
    expect(readFileSync(join(root, 'docs', 'errors.md'), 'utf8')).toBe(errorsPage());
  });

  it('holds no code that nothing raises', () => {
    expect(unused(files.filter(({ path }) => path !== 'errors/codes.ts'))).toEqual([]);
  });

  it('uses only exit codes that are explained', () => {
    const explained = EXIT_CODES.map(([code]) => code);
    expect(Object.entries(CODES).filter(([, { exit }]) => !explained.includes(exit))).toEqual([]);
  });

  it('gives every code a sentence and a next step', () => {
    const wanting = Object.entries(CODES).filter(
      ([, { summary, next }]) => !summary.endsWith('.') || !/[.)]$/.test(next),
    );
    expect(wanting).toEqual([]);
  });
});

describe('an error that is thrown', () => {
  it('has a code: no bare Error outside the programs of the sandbox images', () => {
    expect(bareErrors(files.filter(({ path }) => !path.startsWith('sandbox/images/')))).toEqual([]);
  });
});

describe('these checks themselves', () => {
  it('see a code that nothing raises', () => {
    const all = Object.keys(CODES).map((code) => `'${code}'`);
    expect(unused([{ path: 'x.ts', text: all.join() }])).toEqual([]);
    expect(unused([{ path: 'x.ts', text: all.slice(1).join() }])).toEqual([Object.keys(CODES)[0]]);
  });

  it('see a bare Error', () => {
    expect(bareErrors([{ path: 'x.ts', text: `a();\nthrow new Error('x');\nthrow new TypeError('y');` }])).toEqual([
      'x.ts:2',
    ]);
  });
});
