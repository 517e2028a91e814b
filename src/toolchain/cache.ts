import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { Catalogue, RecipeSpec, ToolSpec } from './catalogue.ts';
import type { FoundTool, ToolOptions } from './types.ts';

const MANIFEST = 'manifest.json';
const DAY = 24 * 60 * 60 * 1000;

const manifestSchema = z.object({
  format: z.literal(1),
  tool: z.string(),
  version: z.string(),
  madeBy: z.enum(['built', 'downloaded']),
  /** Path of the program inside the entry. */
  program: z.string(),
  files: z.array(z.object({ path: z.string(), size: z.number(), mtimeMs: z.number(), sha256: z.string() })).min(1),
});

type Manifest = z.infer<typeof manifestSchema>;

export type CacheAnswer =
  | { readonly state: 'found'; readonly tool: FoundTool }
  | { readonly state: 'absent' }
  | { readonly state: 'damaged'; readonly reason: string };

/** Where the cache of this user is. */
export function cacheRoot(options: Pick<ToolOptions, 'cacheDir' | 'env'>): string {
  const env = options.env ?? process.env;
  if (options.cacheDir !== undefined) return options.cacheDir;
  if (env['BACKSTAY_CACHE_DIR']) return env['BACKSTAY_CACHE_DIR'];
  return join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'backstay');
}

/** The tools' part of the cache: `<tool>/<entry>/`, with `.work` for what is not finished and `.versions` for memos. */
export class ToolCache {
  readonly root: string;

  constructor(cacheDir: string) {
    this.root = join(cacheDir, 'toolchain');
  }

  get versionMemos(): string {
    return join(this.root, '.versions');
  }

  /** Folder of one tool at one recipe. Another recipe, version or machine type is another folder. */
  async entry(catalogue: Catalogue, tool: ToolSpec): Promise<string> {
    const recipe = catalogue.recipes.find((candidate) => candidate.name === tool.recipe);
    const hash = recipe === undefined ? 'none' : await recipeHash(recipe, tool);
    return join(this.root, tool.name, `${tool.version}-${process.platform}-${process.arch}-${hash}`);
  }

  /** Looks an entry up. Sizes are always compared; digests when a file's time of change differs, or with `verify`. */
  async find(entry: string, tool: string, verify: boolean): Promise<CacheAnswer> {
    const text = await readFile(join(entry, MANIFEST), 'utf8').catch(() => undefined);
    if (text === undefined) {
      const there = await stat(entry).catch(() => undefined);
      return there === undefined ? { state: 'absent' } : { state: 'damaged', reason: 'its manifest is missing' };
    }
    const manifest = parseManifest(text);
    if (manifest === undefined || manifest.tool !== tool)
      return { state: 'damaged', reason: 'its manifest is unreadable' };
    let sizeBytes = 0;
    for (const file of manifest.files) {
      const path = join(entry, file.path);
      const seen = await stat(path).catch(() => undefined);
      if (seen === undefined) return { state: 'damaged', reason: `${file.path} is missing` };
      if (seen.size !== file.size) {
        return { state: 'damaged', reason: `${file.path} has ${seen.size} bytes instead of ${file.size}` };
      }
      if ((verify || seen.mtimeMs !== file.mtimeMs) && (await sha256Of(path)) !== file.sha256) {
        return { state: 'damaged', reason: `${file.path} does not match its digest` };
      }
      if ((seen.mode & 0o100) === 0) return { state: 'damaged', reason: `${file.path} is not executable` };
      sizeBytes += seen.size;
    }
    const path = join(entry, manifest.program);
    return { state: 'found', tool: { name: tool, path, version: manifest.version, origin: 'cache', sizeBytes } };
  }

  /** A fresh folder on the cache's file system. What earlier processes of this machine left for `purpose` is removed. */
  async workFolder(purpose: string): Promise<string> {
    const work = join(this.root, '.work');
    await mkdir(work, { recursive: true, mode: 0o700 });
    const mine = `${purpose}@${hostname()}@`;
    for (const name of await readdir(work)) {
      if (!name.startsWith(`${purpose}@`)) continue;
      const path = join(work, name);
      const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? 0);
      // The caller holds the lock of `purpose`; only another machine on a shared disk may be at work here as well.
      if (name.startsWith(mine) || age > DAY) await rm(path, { recursive: true, force: true });
    }
    const folder = join(work, `${mine}${process.pid}-${Date.now()}`);
    await mkdir(folder, { mode: 0o700 });
    return folder;
  }

  /**
   * Makes `files` (all below `staging`, which is on the cache's file system) the entry: digests, manifest, fsync, then
   * one rename. Whoever looks sees the whole entry or none; a damaged one in its place is moved away first.
   */
  async publish(
    entry: string,
    staging: string,
    what: {
      readonly tool: string;
      readonly version: string;
      readonly madeBy: Manifest['madeBy'];
      readonly program: string;
    },
  ): Promise<void> {
    const files: Manifest['files'] = [];
    for (const path of await filesBelow(staging)) {
      await sync(path);
      const { size, mtimeMs } = await stat(path);
      files.push({ path: relative(staging, path), size, mtimeMs, sha256: await sha256Of(path) });
    }
    const manifest: Manifest = { format: 1, ...what, files };
    await writeFile(join(staging, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    await sync(join(staging, MANIFEST));
    await sync(staging);
    await mkdir(dirname(entry), { recursive: true, mode: 0o700 });
    const old = `${staging}.old`;
    await rename(entry, old).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await rename(staging, entry);
    await sync(dirname(entry));
    await rm(old, { recursive: true, force: true });
  }
}

function parseManifest(text: string): Manifest | undefined {
  try {
    return manifestSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

async function recipeHash(recipe: RecipeSpec, tool: ToolSpec): Promise<string> {
  const hash = createHash('sha256').update(`${tool.goPackage}\n${recipe.ldflags}\n`);
  for (const name of ['go.mod', 'go.sum']) {
    hash.update(await readFile(join(recipe.dir, name)).catch(() => Buffer.from('absent')));
  }
  return hash.digest('hex').slice(0, 12);
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

async function sync(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}
