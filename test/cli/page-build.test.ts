import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildPage } from '../../src/cli/page-build.ts';
import type { LogLine } from '../../src/service/log.ts';

const BUILDS = `import { mkdirSync, writeFileSync } from 'node:fs';
mkdirSync('dist/page', { recursive: true });
writeFileSync('dist/page/index.html', 'built');`;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'backstay-checkout-'));
  await mkdir(join(root, 'scripts'));
  await mkdir(join(root, 'node_modules', 'vite'), { recursive: true });
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

async function events(signal = new AbortController().signal): Promise<readonly LogLine[]> {
  const lines: LogLine[] = [];
  await buildPage((line) => void lines.push(line), signal, root);
  return lines;
}

it('builds the page of a checkout once, and leaves one that is there alone', async () => {
  await writeFile(join(root, 'scripts', 'page.ts'), BUILDS);
  expect((await events()).map(({ event }) => event)).toEqual(['page-building', 'page-built']);
  expect(await readFile(join(root, 'dist', 'page', 'index.html'), 'utf8')).toBe('built');
  expect(await events()).toEqual([]);
});

it('has nothing to build where the sources or the builder are not', async () => {
  expect(await events()).toEqual([]);
  await writeFile(join(root, 'scripts', 'page.ts'), BUILDS);
  await rm(join(root, 'node_modules', 'vite'), { recursive: true });
  expect(await events()).toEqual([]);
});

it('says why it could not, and does not keep the service', async () => {
  await writeFile(join(root, 'scripts', 'page.ts'), `console.error('no room'); process.exit(3);`);
  expect((await events()).at(-1)).toEqual({
    level: 'warn',
    event: 'page-not-built',
    message: 'scripts/page.ts ended with 3: no room',
  });
});

it('ends with the service', async () => {
  await writeFile(join(root, 'scripts', 'page.ts'), 'setInterval(() => undefined, 1000);');
  const stopping = new AbortController();
  const building = events(stopping.signal);
  stopping.abort();
  expect((await building).map(({ event }) => event)).toEqual(['page-building']);
});
