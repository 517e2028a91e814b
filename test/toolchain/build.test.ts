import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ensureFrom } from '../../src/toolchain/ensure.ts';
import type { ToolProgress } from '../../src/toolchain/types.ts';
import { script, standInGo, tinyWorld, withRealGo, type World } from './support/tiny.ts';

const ensure = async (world: World, more: { signal?: AbortSignal; onProgress?: (p: ToolProgress) => void } = {}) =>
  (await ensureFrom(world.catalogue, ['tiny'], { env: world.env, cacheDir: world.cacheDir, ...more })).get('tiny')!;

/** Another process that asks for the tool; prints what it found as JSON. */
function otherProcess(world: World): ChildProcess {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'support', 'ask.ts'), JSON.stringify(worldAsData(world))],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

const worldAsData = ({ catalogue, env, cacheDir }: World) => ({ recipe: catalogue.recipes[0], env, cacheDir });

async function outputOf(child: ChildProcess): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of child.stdout!) text += String(chunk);
  return JSON.parse(text) as Record<string, unknown>;
}

/** A compiler that never ends, and that holds a pipe: `opened` when it runs, `ended` when nobody of it is left. */
async function endlessGo(
  world: World,
): Promise<{ readonly opened: Promise<unknown>; readonly ended: Promise<unknown> }> {
  const pipe = join(world.folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  await script(
    join(world.folder, 'bin', 'go'),
    'case $1 in list) echo one; exit;; esac',
    'while [ "$1" != -o ]; do shift; done',
    'echo half > "$2"',
    `exec 9> '${pipe}'; echo started >&9`,
    'sleep 600 & wait',
  );
  const reader = createReadStream(pipe);
  return { opened: once(reader, 'data'), ended: once(reader, 'end') };
}

describe('two processes that need the same tool at once', () => {
  it('build it once and both use it', async () => {
    const world = await withRealGo(await tinyWorld());
    const [one, two] = await Promise.all([outputOf(otherProcess(world)), outputOf(otherProcess(world))]);
    expect(new Set([one['origin'], two['origin']])).toEqual(new Set(['built', 'cache']));
    expect(one['path']).toBe(two['path']);
    expect(await world.goCommands()).toEqual(['list', 'build']);
  });

  it('tell the one that waits what the other is doing', async () => {
    const world = await tinyWorld();
    const go = await endlessGo(world);
    const first = otherProcess(world);
    await go.opened;
    const said = Promise.withResolvers<string>();
    const abort = new AbortController();
    const second = ensure(world, {
      signal: abort.signal,
      onProgress: ({ message }) => message.includes('compiling') && said.resolve(message),
    });
    expect(await said.promise).toBe('another process: compiling 1 packages');
    abort.abort(new Error('enough'));
    await expect(second).rejects.toThrow('enough');
    first.kill('SIGKILL');
    await go.ended;
  });
});

describe('a builder that is killed with kill -9', () => {
  it('leaves no entry, no compiler and no lock, and the next one succeeds and clears up', async () => {
    const world = await tinyWorld();
    const go = await endlessGo(world);
    const child = otherProcess(world);
    await go.opened;
    child.kill('SIGKILL');
    await go.ended;
    const folder = join(world.cacheDir, 'toolchain');
    expect(await readdir(folder)).not.toContain('tiny');

    await standInGo(world);
    expect(await ensure(world)).toMatchObject({ origin: 'built', version: '1.2.3' });
    expect(await readdir(join(folder, '.work'))).toEqual([]);
  });
});

describe('a build', () => {
  it('makes all tools of a recipe at once, and each has an entry of its own', async () => {
    const world = await tinyWorld();
    const other = { ...world.tool, name: 'tinier', variable: 'BACKSTAY_TINIER', goPackage: 'backstay.dev/cmd/tinier' };
    // As Go does: with a folder as the target, programs are named by the last part of their package.
    await script(
      join(world.folder, 'bin', 'go'),
      `echo "$1" >> '${join(world.folder, 'go.log')}'`,
      'case $1 in list) echo one; exit;; esac',
      'while [ "$1" != -o ]; do shift; done',
      'target=$2; shift 2',
      `for package in "$@"; do printf '#!/bin/sh\\necho "tiny version 1.2.3"\\n' > "$target\${package##*/}"; chmod 755 "$target\${package##*/}"; done`,
    );
    const catalogue = { ...world.catalogue, tools: [world.tool, other] };
    const found = await ensureFrom(catalogue, ['tinier', 'tiny'], { env: world.env, cacheDir: world.cacheDir });
    expect([...found.values()].map(({ name, origin }) => [name, origin])).toEqual([
      ['tinier', 'built'],
      ['tiny', 'built'],
    ]);
    expect(found.get('tiny')!.path).not.toBe(found.get('tinier')!.path);
    expect(await world.goCommands()).toEqual(['list', 'build']);
  });

  it('that is cancelled ends its compiler and leaves nothing', async () => {
    const world = await tinyWorld();
    const go = await endlessGo(world);
    const abort = new AbortController();
    const asked = ensure(world, { signal: abort.signal });
    await go.opened;
    abort.abort(new Error('stop it'));
    await expect(asked).rejects.toThrow('stop it');
    await go.ended;
    expect(await readdir(join(world.cacheDir, 'toolchain', '.work'))).toEqual([]);
  });

  it('that fails shows what the compiler said', async () => {
    const world = await tinyWorld();
    await script(join(world.folder, 'bin', 'go'), 'echo "./main.go:3:15: undefined: nonsense" >&2', 'exit 1');
    await expect(ensure(world)).rejects.toMatchObject({
      code: 'TOOL_BUILD_FAILED',
      next: expect.stringContaining('undefined: nonsense'),
    });
  });

  it('whose program does not run is not published', async () => {
    const world = await tinyWorld();
    await standInGo(world, 'exit 1');
    await expect(ensure(world)).rejects.toMatchObject({ code: 'TOOL_BUILD_FAILED' });
    expect(await readdir(join(world.cacheDir, 'toolchain'))).not.toContain('tiny');
  });

  it('without Go names what to install and which variable to set', async () => {
    const world = await tinyWorld();
    await script(join(world.folder, 'bin', 'go'), 'exit 127');
    await expect(ensure(world)).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      next: 'Install tiny or Go 1.25 or later, or set BACKSTAY_TINY.',
    });
  });

  it('needs room on the disk and says so before it starts', async () => {
    const world = await tinyWorld();
    const recipe = { ...world.catalogue.recipes[0]!, needsBytes: Number.MAX_SAFE_INTEGER };
    const asked = ensure({ ...world, catalogue: { ...world.catalogue, recipes: [recipe] } });
    await expect(asked).rejects.toMatchObject({
      code: 'TOOL_BUILD_FAILED',
      next: expect.stringContaining('BACKSTAY_CACHE_DIR'),
    });
    expect(await world.goCommands()).toEqual([]);
  });

  it('reports how far it is, never backwards, up to the end', async () => {
    const world = await withRealGo(await tinyWorld());
    const seen: ToolProgress[] = [];
    await ensure(world, { onProgress: (progress) => seen.push(progress) });
    const fractions = seen.flatMap(({ fraction }) => fraction ?? []);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
    expect(new Set(fractions).size).toBeGreaterThan(5);
    expect(seen.filter(({ stage }) => stage === 'build').every(({ secondsLeft }) => secondsLeft !== undefined)).toBe(
      true,
    );
  });
});
