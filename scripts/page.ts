/**
 * Builds the page from src/web into dist/page, where the service serves it from; does nothing when that is done. Two that
 * build at the same time both end with a whole page: a build is published by a rename.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const root = join(import.meta.dirname, '..');
const source = join(root, 'src', 'web');
const STAMP = 'built-from';
/** What else the page is made of. */
const PACKAGES = ['preact', '@preact/signals', '@preact/signals-core', 'uplot', 'eventsource-parser', 'vite'];

export interface BuiltPage {
  readonly folder: string;
  /** Bytes of all scripts together, as a browser fetches them. */
  readonly scriptsZipped: number;
}

/** The page's folder; built now unless the one there is from the same sources. */
export async function ensurePage(folder = join(root, 'dist', 'page')): Promise<BuiltPage> {
  const digest = await digestOfSources();
  if ((await stampOf(folder)) !== digest) await buildInto(folder, digest);
  return { folder, scriptsZipped: await zippedScripts(folder) };
}

async function buildInto(folder: string, digest: string): Promise<void> {
  const work = `${folder}.${process.pid}`;
  const { NODE_ENV: before } = process.env;
  try {
    // Vite goes by it, and by it alone: a build that a test asks for is to be the one that is shipped.
    process.env['NODE_ENV'] = 'production';
    await build({
      configFile: false,
      root: source,
      // Below whatever path a proxy puts us.
      base: './',
      logLevel: 'warn',
      oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
      build: {
        outDir: work,
        emptyOutDir: true,
        target: 'es2023',
        cssTarget: ['chrome125', 'firefox125', 'safari17.5'],
        // Our policy takes no data: scripts or styles, and needs no polyfill that is one.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
      },
    });
    await writeFile(join(work, STAMP), digest);
    await publish(work, folder, digest);
  } finally {
    if (before === undefined) delete process.env['NODE_ENV'];
    else process.env['NODE_ENV'] = before;
    await rm(work, { recursive: true, force: true });
  }
}

/** Whoever comes second finds the same page there, and leaves it. */
async function publish(work: string, folder: string, digest: string): Promise<void> {
  if ((await stampOf(folder)) === digest) return;
  const old = `${work}.old`;
  await rename(folder, old).catch(() => undefined);
  try {
    await rename(work, folder);
  } catch (error) {
    if ((await stampOf(folder)) !== digest) throw error;
  }
  await rm(old, { recursive: true, force: true });
}

async function stampOf(folder: string): Promise<string | undefined> {
  return await readFile(join(folder, STAMP), 'utf8').catch(() => undefined);
}

async function digestOfSources(): Promise<string> {
  const hash = createHash('sha256');
  const names = await readdir(source, { recursive: true, withFileTypes: true });
  const paths = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const manifests = PACKAGES.map((name) => join(root, 'node_modules', name, 'package.json'));
  for (const path of [...paths.toSorted(), ...manifests, import.meta.filename])
    hash.update(path.slice(root.length)).update(await readFile(path));
  return hash.digest('hex');
}

async function zippedScripts(folder: string): Promise<number> {
  const names = await readdir(join(folder, 'assets'));
  const sizes = names
    .filter((name) => name.endsWith('.js'))
    .map(async (name) => gzipSync(await readFile(join(folder, 'assets', name)), { level: 9 }).length);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

if (import.meta.main) {
  const { folder, scriptsZipped } = await ensurePage();
  console.log(`${folder}: scripts of ${(scriptsZipped / 1024).toFixed(1)} KiB, zipped`);
}
