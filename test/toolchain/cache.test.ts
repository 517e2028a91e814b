import { appendFile, chmod, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureFrom, listFrom } from '../../src/toolchain/ensure.ts';
import type { FoundTool } from '../../src/toolchain/types.ts';
import { tinyWorld, withRealGo, type World } from './support/tiny.ts';

const ensure = async (world: World, verify = false): Promise<FoundTool> => {
  const found = await ensureFrom(world.catalogue, ['tiny'], { env: world.env, cacheDir: world.cacheDir, verify });
  return found.get('tiny')!;
};

/** Same size, other content. */
async function falsify(path: string): Promise<void> {
  const { size } = await stat(path);
  await writeFile(path, '#!/bin/sh\necho evil\n'.padEnd(size, '#').slice(0, size));
}

describe('a damaged cache', () => {
  it.each<[string, (tool: FoundTool) => Promise<unknown>]>([
    ['a program that was cut short', (tool) => writeFile(tool.path, '#!/bin/sh\n')],
    ['a program that grew', (tool) => appendFile(tool.path, 'x')],
    ['a program that is gone', (tool) => rm(tool.path)],
    ['a program that may not run', (tool) => chmod(tool.path, 0o644)],
    ['a program of the same size with other content', (tool) => falsify(tool.path)],
    ['a lost manifest', (tool) => rm(join(dirname(tool.path), '..', 'manifest.json'))],
    ['a manifest that is no JSON', (tool) => writeFile(join(dirname(tool.path), '..', 'manifest.json'), '{')],
  ])('is noticed and made again: %s', async (_what, damage) => {
    const world = await tinyWorld();
    const first = await ensure(world);
    await damage(first);
    const [listed] = await listFrom(world.catalogue, { env: world.env, cacheDir: world.cacheDir });
    expect(listed).toMatchObject({ state: 'damaged' });
    expect(await ensure(world)).toMatchObject({ origin: 'built', path: first.path });
    expect(await ensure(world)).toMatchObject({ origin: 'cache', path: first.path });
  });

  it('is noticed with verify even where size and time of change are as published', async () => {
    const world = await tinyWorld();
    const tool = await ensure(world);
    const { atime, mtime } = await stat(tool.path);
    await falsify(tool.path);
    await utimes(tool.path, atime, mtime);
    expect(await ensure(world, true)).toMatchObject({ origin: 'built' });
    expect(await ensure(world, true)).toMatchObject({ origin: 'cache' });
  });
});

describe('a cache entry', () => {
  it('is another one after a change of the recipe', async () => {
    const world = await tinyWorld();
    const before = await ensure(world);
    await appendFile(join(world.catalogue.recipes[0]!.dir, 'go.mod'), '// changed\n');
    const after = await ensure(world);
    expect(after.origin).toBe('built');
    expect(after.path).not.toBe(before.path);
  });

  it('is really compiled from the pinned modules, really runs, and leaves nothing of its making behind', async () => {
    const world = await withRealGo(await tinyWorld({ version: '1.2.7' }));
    expect(await ensure(world)).toMatchObject({ origin: 'built', version: '1.2.7' });
    expect(await world.goCommands()).toEqual(['list', 'build']);
    expect(await readdir(join(world.cacheDir, 'toolchain', '.work'))).toEqual([]);
  });
});
