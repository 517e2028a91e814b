import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Catalogue, ToolSpec } from '../../../src/toolchain/catalogue.ts';
import { atLeast } from '../../../src/toolchain/versions.ts';

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'backstay-toolchain-')));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** An executable shell script. */
export async function script(path: string, ...lines: readonly string[]): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, ['#!/bin/sh', ...lines, ''].join('\n'));
  await chmod(path, 0o755);
  return path;
}

/** A program that says a version, as the tiny tool does. */
export const program = (path: string, version: string) => script(path, `echo "tiny version ${version}"`);

export interface World {
  readonly folder: string;
  readonly cacheDir: string;
  readonly catalogue: Catalogue;
  readonly tool: ToolSpec;
  readonly env: Record<string, string>;
  /** The `go` commands that ran, in order, such as `['list', 'build']`. */
  goCommands(): Promise<readonly string[]>;
}

/**
 * A world with one tool, `tiny`, pinned at 1.2.3 and accepted from 1.1.0 on. `go` in it is a stand-in that makes a
 * script in no time; `withRealGo` puts the real compiler there.
 */
export async function tinyWorld(change: Partial<ToolSpec> = {}): Promise<World> {
  const folder = await temporaryFolder();
  const tool: ToolSpec = {
    name: 'tiny',
    variable: 'BACKSTAY_TINY',
    version: '1.2.3',
    versionArgs: ['--version'],
    versionPattern: /^tiny version (\S+)/m,
    willDo: (version) => atLeast(version, '1.1.0'),
    willDoNamed: (version) => atLeast(version, '1.0.0'),
    wanted: '1.1 or later',
    inAssets: true,
    recipe: 'tiny',
    goPackage: 'backstay.dev/tiny',
    ...change,
  };
  const dir = join(folder, 'recipe');
  await mkdir(dir);
  await writeFile(join(dir, 'go.mod'), 'module backstay.dev/tiny\n\ngo 1.21\n');
  await writeFile(
    join(dir, 'main.go'),
    'package main\n\nvar version string\n\nfunc main() { println("tiny version " + version) }\n',
  );
  const recipe = { name: 'tiny', dir, ldflags: `-X main.version=${tool.version}`, expectedSeconds: 5, needsBytes: 1 };
  const world: World = {
    folder,
    tool,
    cacheDir: join(folder, 'cache'),
    catalogue: { tools: [tool], recipes: [recipe] },
    env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, HOME: folder },
    goCommands: async () =>
      (await readFile(join(folder, 'go.log'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
  };
  await standInGo(world);
  return world;
}

/** A `go` that makes a script in no time; the script prints the tiny version, or does what `body` says. */
export async function standInGo(world: World, body = `echo "tiny version ${world.tool.version}"`): Promise<void> {
  await script(
    join(world.folder, 'bin', 'go'),
    `echo "$1" >> '${join(world.folder, 'go.log')}'`,
    'case $1 in list) echo one; echo two; exit;; esac',
    'while [ "$1" != -o ]; do shift; done',
    'echo one >&2; echo two >&2',
    `printf '%s\\n' '#!/bin/sh' '${body}' > "$2"; chmod 755 "$2"`,
  );
}

/** Replaces the stand-in by the machine's compiler, still writing down what is asked of it. */
export async function withRealGo(world: World): Promise<World> {
  const go = execFileSync('sh', ['-c', 'command -v go'], { encoding: 'utf8' }).trim();
  await script(join(world.folder, 'bin', 'go'), `echo "$1" >> '${join(world.folder, 'go.log')}'`, `exec '${go}' "$@"`);
  return world;
}
