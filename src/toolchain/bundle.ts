import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import { cacheRoot, ToolCache } from './cache.ts';
import { withLock } from './lock.ts';
import type { ToolOptions } from './types.ts';

/** A tool that is a folder of files rather than one program. */
export interface BundleSpec {
  readonly name: string;
  readonly version: string;
  /** All that it is made of: another text is another entry of the cache. */
  readonly pins: string;
  /** Path of its program within the folder. */
  readonly program: string;
  /** What a person can do where it may not be fetched. */
  readonly instead?: string;
  /** Fills the empty folder. Called by one process at a time. */
  readonly make: (staging: string, work: BundleWork) => Promise<void>;
}

export interface BundleWork {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  readonly say: (message: string, fraction?: number) => void;
  /** Empty folder for what is not to stay. */
  readonly temporary: string;
}

/**
 * The folder's place in the cache; made and published whole when it is not there yet.
 * Errors: TOOL_MISSING, TOOL_BUILD_FAILED.
 */
export async function ensureBundle(spec: BundleSpec, options: ToolOptions = {}): Promise<string> {
  const { name, version, program } = spec;
  const env = options.env ?? process.env;
  const cache = new ToolCache(cacheRoot(options));
  const hash = createHash('sha256').update(spec.pins).digest('hex').slice(0, 12);
  const entry = join(cache.root, name, `${version}-${process.platform}-${process.arch}-${hash}`);
  const isThere = async (): Promise<boolean> =>
    (await cache.find(entry, name, options.verify ?? false)).state === 'found';
  if (await isThere()) return entry;
  if ((env['BACKSTAY_OFFLINE'] ?? '') !== '')
    throw new BackstayError(
      'TOOL_MISSING',
      `${name}: not found, and BACKSTAY_OFFLINE forbids fetching it`,
      spec.instead === undefined ? {} : { next: spec.instead },
    );
  const say = (stage: 'find' | 'download' | 'publish', message: string, fraction?: number): void =>
    options.onProgress?.({ tool: name, stage, message, ...(fraction === undefined ? {} : { fraction }) });
  const given = options.signal === undefined ? {} : { signal: options.signal };
  const onWait = (says: string): void => say('find', `another process: ${says || 'at work on it'}`);
  return await withLock(`${cache.root}\n${name}`, { onWait, ...given }, async (tell) => {
    if (await isThere()) return entry;
    const work = await cache.workFolder(name);
    const [staging, temporary] = [join(work, 'entry'), join(work, 'temporary')];
    try {
      await Promise.all([mkdir(staging), mkdir(temporary)]);
      await spec.make(staging, {
        env,
        temporary,
        ...given,
        say: (message, fraction) => {
          tell(message);
          say('download', message, fraction);
        },
      });
      await markRunnable(staging);
      say('publish', `checking in ${name} ${version}`, 1);
      await cache.publish(entry, staging, { tool: name, version, madeBy: 'downloaded', program });
      return entry;
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

/** Puts small programs, by their names, into `bin` of a bundle that is being made: runnable at once, for it may be tried there. */
export async function writePrograms(staging: string, texts: Readonly<Record<string, string>>): Promise<void> {
  const bin = join(staging, 'bin');
  await mkdir(bin, { recursive: true });
  for (const [name, text] of Object.entries(texts)) await writeFile(join(bin, name), text, { mode: 0o755 });
}

/** As the cache wants its files. */
async function markRunnable(folder: string): Promise<void> {
  for (const file of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (file.isFile()) await chmod(join(file.parentPath, file.name), 0o755);
}
