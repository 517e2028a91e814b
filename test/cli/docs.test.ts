import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { PROJECT } from '../support/backstay.ts';

/** As program.ts has them. */
const GLOBAL = [
  '-o, --output <format>',
  '--color <when>',
  '--kubeconfig <file>',
  '--context <name>',
  '--server <url>',
  '-q, --quiet',
];
const BUILT_IN = ['-h, --help', '-V, --version'];
const flagsOf = (syntax: string): readonly string[] =>
  syntax
    .replace(/[<[].*/, '')
    .trim()
    .split(/[ ,]+/);

const pages = [
  'README.md',
  ...readdirSync(join(PROJECT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** `backstay …` as written in blocks and in backquotes; what follows a `#` is a remark. */
function commandsOf(page: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(join(PROJECT, page), 'utf8');
  } catch {
    return [];
  }
  const inline = [...text.matchAll(/`(backstay [^`\n]+)`/g)].map(([, command]) => command ?? '');
  const blocks = [...text.matchAll(/^(?:\$ )?(backstay .+)$/gm)].map(([, command]) => command ?? '');
  return [...new Set([...inline, ...blocks].map((command) => (command.split(' #')[0] ?? '').trim()))];
}

describe('the documents', () => {
  const found = pages.flatMap((page) => commandsOf(page).map((command) => [page, command] as const));

  it('have commands to check', () => {
    expect(found.length).toBeGreaterThan(5);
  });

  it.each(found)('in %s name commands and flags that there are: %s', (_page, command) => {
    const words = command.split(/\s+/).slice(1);
    const spec = COMMANDS.toSorted((x, y) => y.name.length - x.name.length).find(
      ({ name }) => words.slice(0, name.split(' ').length).join(' ') === name,
    );
    const isGroup = COMMANDS.some(({ name }) => name.startsWith(`${words[0]} `));
    if (!words[0]?.startsWith('-')) expect(spec !== undefined || isGroup, 'there is no such command').toBe(true);
    const known = [...GLOBAL, ...BUILT_IN, ...(spec?.options ?? []).map(([syntax]) => syntax)];
    for (const [index, word] of words.entries()) {
      if (!word.startsWith('-')) continue;
      const syntax = known.find((one) => flagsOf(one).includes(word));
      expect(syntax, `${word} is not known`).toBeDefined();
      if (syntax?.includes('<')) expect(words[index + 1] ?? '', `${word} takes a value`).toMatch(/^[^-]/);
    }
  });
});
