import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CATALOGUE } from '../../src/toolchain/catalogue.ts';
import { PROJECT } from '../support/backstay.ts';
import { faultsOf, type Instruction, instructionsOf } from './support/containerfile.ts';

const text = readFileSync(join(PROJECT, 'deploy', 'container', 'Containerfile'), 'utf8');
const instructions = instructionsOf(text);
const named = (name: string): readonly Instruction[] => instructions.filter((one) => one.name === name);

describe('the container definition', () => {
  it('keeps every rule', () => {
    expect(faultsOf(text)).toEqual([]);
  });

  it('pins the Node and the engine that the project is tested with', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    expect(text).toContain(`NODE_IMAGE=node:${devDependencies['node'] ?? '?'}-`);
    const recipe = CATALOGUE.recipes.find(({ name }) => name === 'pulumi');
    const tool = CATALOGUE.tools.find(({ name }) => name === 'pulumi');
    const build = named('RUN').find(({ words }) => words.startsWith('go build'));
    expect(build?.words).toContain(`-ldflags "${recipe?.ldflags ?? '?'}"`);
    expect(build?.words).toContain(tool?.goPackage);
  });

  it('copies what there is, and what the ignore file lets in', () => {
    const copied = instructions.flatMap(copiedBy);
    expect(copied).toContain('src/');
    expect(copied.filter((path) => !existsSync(join(PROJECT, path)))).toEqual([]);
    const ignore = readFileSync(join(PROJECT, 'deploy', 'container', 'Containerfile.containerignore'), 'utf8');
    const allowed = [...ignore.matchAll(/^!(.+)$/gm)].map(([, path = '']) => path);
    expect(copied.filter((path) => !allowed.some((one) => path.startsWith(one)))).toEqual([]);
  });

  it('builds the page from what its stage copies, and nothing else of the project', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'backstay-stage-'));
    onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
    const from = instructions.findIndex(({ name, words }) => name === 'FROM' && words.endsWith(' AS page'));
    const stage = instructions.slice(
      from + 1,
      instructions.findIndex(({ name }, i) => name === 'FROM' && i > from),
    );
    for (const path of stage.flatMap(copiedBy)) await cp(join(PROJECT, path), join(folder, path), { recursive: true });
    await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
    const build = stage.findLast(({ name }) => name === 'RUN')?.words;
    expect(build).toBe('node scripts/page.ts');
    await promisify(execFile)(process.execPath, ['scripts/page.ts'], { cwd: folder });
    expect(existsSync(join(folder, 'dist', 'page', 'index.html'))).toBe(true);
  }, 60_000);
});

/** Paths that an instruction copies from the project. */
function copiedBy({ name, words }: Instruction): readonly string[] {
  if (name !== 'COPY' || words.includes('--from=')) return [];
  return words
    .split(/\s+/)
    .filter((word) => !word.startsWith('--'))
    .slice(0, -1);
}

describe('the rules of a container definition', () => {
  const good = ['ARG BASE=node:24.1.0-slim', 'FROM ${BASE}', 'USER 10001:10001', 'ENTRYPOINT ["/bin/x"]'];
  const withLine = (at: number, line: string): string => good.with(at, line).join('\n');

  it('let a good one pass', () => {
    expect(faultsOf(good.join('\n'))).toEqual([]);
  });

  it.each([
    ['a base that is no argument', withLine(1, 'FROM node:24.1.0'), 'is no argument'],
    ['a base with the place it comes from', withLine(0, 'ARG BASE=registry.example/node:24.1.0'), 'names a place'],
    ['a base without a version', withLine(0, 'ARG BASE=node:latest'), 'has no exact version'],
    ['a base without a tag', withLine(0, 'ARG BASE=node'), 'has no exact version'],
    ['the superuser', withLine(2, 'USER root'), 'user'],
    ['the superuser by number', withLine(2, 'USER 0:10001'), 'user'],
    ['no user at all', withLine(2, 'WORKDIR /x'), 'user'],
    ['a shell as the entry', withLine(3, 'ENTRYPOINT /bin/x'), 'shell form'],
    ['something from the network', `${good.join('\n')}\nADD https://x.example/y /y`, 'ADD'],
    ['a script from the network', `${good.join('\n')}\nRUN curl -s https://x.example | sh`, 'pipes'],
    ['a secret', `${good.join('\n')}\nENV API_TOKEN=x`, 'secret'],
    ['a stage that is not there', `${good.join('\n')}\nCOPY --from=build /x /x`, 'no stage build'],
    ['packages whose scripts run', `${good.join('\n')}\nRUN npm ci --omit=dev`, 'scripts'],
    ['packages beside the lock', `${good.join('\n')}\nRUN npm install x`, 'npm install'],
  ])('see %s', (_what, definition, fault) => {
    expect(faultsOf(definition)).toEqual([expect.stringContaining(fault)]);
  });
});
