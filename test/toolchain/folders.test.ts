import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findTogether, programsIn } from '../../src/toolchain/folders.ts';

const NAMES = ['server', 'client'] as const;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'backstay-test-folders-'));
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

/** A folder with these programs, each with its mode. */
async function folder(name: string, programs: Readonly<Record<string, number>>): Promise<string> {
  const path = join(dir, name);
  await mkdir(path);
  for (const [program, mode] of Object.entries(programs)) {
    await writeFile(join(path, program), '#!/bin/sh\n');
    await chmod(join(path, program), mode);
  }
  return path;
}

const whole = async (name: string): Promise<string> => await folder(name, { server: 0o755, client: 0o755 });

describe('programs of one folder', () => {
  it('are there when each of them can be run', async () => {
    const path = await whole('whole');
    expect(await programsIn(path, NAMES)).toEqual([join(path, 'server'), join(path, 'client')]);
  });

  it.each([
    ['one is missing', { server: 0o755 }],
    ['one may not be run', { server: 0o755, client: 0o644 }],
  ])('are not when %s', async (_why, programs) => {
    expect(await programsIn(await folder('part', programs), NAMES)).toBeUndefined();
  });

  it('are not when one is a folder', async () => {
    const path = await folder('part', { server: 0o755 });
    await mkdir(join(path, 'client'));
    expect(await programsIn(path, NAMES)).toBeUndefined();
  });
});

describe('tools that are found together', () => {
  const find = async (env: Readonly<Record<string, string>>) =>
    await findTogether({
      variable: 'BACKSTAY_THING_BIN',
      env,
      lacking: 'where there are no things',
      toolsIn: async (path) => await programsIn(path, NAMES),
    });

  it('come from the named folder, whatever is on PATH', async () => {
    const [named, other] = [await whole('named'), await whole('other')];
    expect(await find({ BACKSTAY_THING_BIN: named, PATH: other })).toEqual([
      join(named, 'server'),
      join(named, 'client'),
    ]);
  });

  it('are not looked for anywhere else when the named folder will not do', async () => {
    const [named, other] = [await folder('named', {}), await whole('other')];
    await expect(find({ BACKSTAY_THING_BIN: named, PATH: other })).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      message: `BACKSTAY_THING_BIN names ${named}, where there are no things`,
    });
  });

  it('come from the first folder of PATH that has all of them, and never from one that is relative', async () => {
    const [part, all, late] = [await folder('part', { server: 0o755 }), await whole('all'), await whole('late')];
    const PATH = ['', relative(process.cwd(), late), part, all, late].join(':');
    expect(await find({ BACKSTAY_THING_BIN: '', PATH })).toEqual([join(all, 'server'), join(all, 'client')]);
  });

  it('may be nowhere', async () => {
    expect(await find({ PATH: await folder('empty', {}) })).toBeUndefined();
    expect(await find({})).toBeUndefined();
  });
});
