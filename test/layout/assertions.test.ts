import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { filesBelow } from './support/arrows.ts';

const TESTS = join(import.meta.dirname, '..');

/**
 * Places in which `toMatchObject` is given a regular expression for a value: that is an object without properties of its own,
 * which everything matches.
 */
function idleMatches(path: string, text: string): readonly string[] {
  if (!text.includes('.toMatchObject(')) return [];
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const within = (node: ts.Node): void => {
    // What a call makes of it (`expect.stringMatching`) is asked.
    if (ts.isCallExpression(node)) return;
    if (ts.isRegularExpressionLiteral(node))
      found.push(`${path}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
    node.forEachChild(within);
  };
  const visit = (node: ts.Node): void => {
    if (
      ts.isCallExpression(node) &&
      ts.isPropertyAccessExpression(node.expression) &&
      node.expression.name.text === 'toMatchObject'
    )
      node.arguments.forEach(within);
    node.forEachChild(visit);
  };
  visit(file);
  return found;
}

describe('assertions', () => {
  it('compare texts with a pattern by what asks it', () => {
    const files = filesBelow(TESTS);
    expect(files.length).toBeGreaterThan(100);
    expect(files.flatMap(({ path, text }) => idleMatches(path, text))).toEqual([]);
  });

  it.each<[string, number]>([
    ['expect(x).toMatchObject({ code: /no/ })', 1],
    ['await expect(x).rejects.toMatchObject([{ deep: { code: /no/ } }])', 1],
    ['expect(x).toMatchObject({ code: expect.stringMatching(/yes/) })', 0],
    ['expect(x).toEqual({ code: /no/ })', 0],
  ])('in %s are found to ask nothing: %d', (text, count) => {
    expect(idleMatches('x.ts', text)).toHaveLength(count);
  });
});
