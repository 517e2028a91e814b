import { mkdir, readdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import { type BundleWork, writePrograms } from './bundle.ts';
import { type ChildResult, runChild, toldBy } from './child.ts';

export interface DebianRequest {
  /** Named by the error, and in progress. */
  readonly tool: string;
  readonly packages: readonly string[];
  /** Empty folder; the programs end up in `bin` below it, with all that they load in `root`. */
  readonly staging: string;
  /** Programs of `usr/bin` that are wanted. */
  readonly programs: readonly string[];
}

/** Folders of a bundle, from above, each with what is to stay in it. */
type Kept = readonly (readonly [folder: string, names: readonly string[]])[];

const PROGRAMS_AND_LIBRARIES: Kept = [
  ['.', ['bin', 'root']],
  ['root', ['usr']],
  ['root/usr', ['bin', 'lib']],
];

/**
 * Unpacks packages of this machine's own Debian (or Ubuntu) into a folder: no root, no installation. apt compares each
 * with the digest in its signed lists. Libraries come along and are found by small scripts around the programs.
 * Errors: TOOL_MISSING where there is no apt or it has no such package, TOOL_BUILD_FAILED when one cannot be unpacked.
 */
export async function unpackDebian(
  { tool, packages, staging, programs }: DebianRequest,
  work: BundleWork,
): Promise<void> {
  if (!existsSync('/usr/bin/apt-get') || !existsSync('/usr/bin/dpkg-deb'))
    throw new BackstayError('TOOL_MISSING', `${tool}: not found, and it is fetched by itself on Debian alone`, {
      next: `Install ${programs.join(', ')}.`,
    });
  const folder = join(staging, 'packages');
  await mkdir(folder, { recursive: true });
  work.say(`downloading ${packages.join(', ')}`);
  const first = await run(work, folder, ['apt-get', '-q', 'download', ...packages]);
  if (first.exitCode !== 0) {
    // The lists of this machine are absent or old: others of our own, for which nobody has to be root.
    const own = await ownLists(staging);
    await run(work, folder, ['apt-get', '-q', ...own, 'update']);
    const { exitCode, tail } = await run(work, folder, ['apt-get', '-q', ...own, 'download', ...packages]);
    if (exitCode !== 0)
      throw new BackstayError('TOOL_MISSING', `${tool}: apt-get download ended with ${exitCode}`, toldBy(tail));
  }
  const root = join(staging, 'root');
  await mkdir(root);
  for (const name of await readdir(folder)) {
    work.say(`unpacking ${name}`);
    const { exitCode, tail } = await run(work, folder, ['dpkg-deb', '-x', name, root]);
    if (exitCode !== 0)
      throw new BackstayError('TOOL_BUILD_FAILED', `${name} cannot be unpacked`, { details: { output: tail } });
  }
  await writePrograms(staging, Object.fromEntries(programs.map((program) => [program, scriptFor(program)])));
}

/** Removes of what was unpacked all but `kept`: packages, lists, manuals and translations go. */
export async function onlyWhatRuns(staging: string, kept: Kept = PROGRAMS_AND_LIBRARIES): Promise<void> {
  for (const [folder, names] of kept)
    for (const name of await readdir(join(staging, folder)))
      if (!names.includes(name)) await rm(join(staging, folder, name), { recursive: true });
}

/** Finds its libraries from where it lies itself: the folder is moved when it is published. */
function scriptFor(program: string): string {
  return `#!/bin/sh
here=$(dirname -- "$0")/../root/usr
for folder in "$here"/lib/*-linux-gnu*; do libraries=$folder; done
LD_LIBRARY_PATH=$libraries\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec "$here/bin/${program}" "$@"
`;
}

async function ownLists(staging: string): Promise<readonly string[]> {
  const [lists, cache] = [join(staging, 'lists'), join(staging, 'cache')];
  await Promise.all([lists, cache].map(async (dir) => await mkdir(join(dir, 'partial'), { recursive: true })));
  return ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`, '-o', 'Debug::NoLocking=1'];
}

async function run({ env, signal }: BundleWork, cwd: string, command: readonly string[]): Promise<ChildResult> {
  return await runChild(command, {
    cwd,
    env: { ...env, LC_ALL: 'C' },
    onLine: () => undefined,
    ...(signal === undefined ? {} : { signal }),
  });
}
