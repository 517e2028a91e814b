import { mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureFrom, listFrom } from '../../src/toolchain/ensure.ts';
import { program, script, tinyWorld, type World } from './support/tiny.ts';

const ensure = async (world: World, env: Record<string, string> = {}) => {
  const found = await ensureFrom(world.catalogue, ['tiny'], {
    env: { ...world.env, ...env },
    cacheDir: world.cacheDir,
  });
  return found.get('tiny')!;
};

/** Puts one program at each of the places named, all of versions that will do. */
async function placed(...places: readonly ('named' | 'assets' | 'path' | 'cache')[]) {
  const world = await tinyWorld();
  if (places.includes('cache')) await ensure(world);
  const env: Record<string, string> = {};
  if (places.includes('named')) env['BACKSTAY_TINY'] = await program(join(world.folder, 'named', 'my-tiny'), '1.3.0');
  if (places.includes('assets')) {
    await program(join(world.folder, 'assets', 'tiny'), '1.4.0');
    env['KUBEBUILDER_ASSETS'] = join(world.folder, 'assets');
  }
  if (places.includes('path')) {
    await program(join(world.folder, 'elsewhere', 'tiny'), '1.5.0');
    env['PATH'] = `${join(world.folder, 'elsewhere')}:${world.env['PATH']}`;
  }
  return { world, env };
}

describe('the order of discovery', () => {
  it.each([
    [['named', 'assets', 'path', 'cache'], 'named', '1.3.0'],
    [['assets', 'path', 'cache'], 'assets', '1.4.0'],
    [['path', 'cache'], 'path', '1.5.0'],
    [['cache'], 'cache', '1.2.3'],
    [[], 'built', '1.2.3'],
  ] as const)('of %j takes %s', async (places, origin, version) => {
    const { world, env } = await placed(...places);
    expect(await ensure(world, env)).toMatchObject({ name: 'tiny', origin, version });
  });

  it('builds only what nobody has', async () => {
    const { world, env } = await placed('path');
    await ensure(world, env);
    expect(await world.goCommands()).toEqual([]);
  });
});

describe('a program of an unsuitable version', () => {
  it('is passed over on PATH, also when a suitable one comes after it', async () => {
    const world = await tinyWorld();
    await program(join(world.folder, 'old', 'tiny'), '1.0.9');
    const good = await program(join(world.folder, 'good', 'tiny'), '1.1.0');
    const PATH = [join(world.folder, 'old'), join(world.folder, 'good'), world.env['PATH']].join(':');
    expect(await ensure(world, { PATH })).toMatchObject({ path: good, version: '1.1.0' });
  });

  it('is passed over in KUBEBUILDER_ASSETS, which other projects set as well', async () => {
    const world = await tinyWorld();
    await program(join(world.folder, 'assets', 'tiny'), '0.9.0');
    expect(await ensure(world, { KUBEBUILDER_ASSETS: join(world.folder, 'assets') })).toMatchObject({
      origin: 'built',
    });
  });

  it('is refused when the variable names it, and the error names the variable', async () => {
    const world = await tinyWorld();
    const old = await program(join(world.folder, 'old', 'tiny'), '0.9.0');
    await expect(ensure(world, { BACKSTAY_TINY: old })).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      message: expect.stringMatching(/BACKSTAY_TINY names .*version 0\.9\.0; wanted is 1\.1 or later/),
      next: expect.stringContaining('BACKSTAY_TINY'),
    });
  });

  it('does not pass for another major version', async () => {
    const world = await tinyWorld();
    await program(join(world.folder, 'next', 'tiny'), '2.0.0');
    const PATH = `${join(world.folder, 'next')}:${world.env['PATH']}`;
    expect(await ensure(world, { PATH })).toMatchObject({ origin: 'built' });
  });
});

describe('what cannot be used', () => {
  it.each([
    ['is not there', async (path: string) => path],
    ['is a folder', async (path: string) => (await mkdir(path), path)],
    ['says nothing that is understood', (path: string) => script(path, 'echo hello')],
    ['cannot run', (path: string) => script(path, 'exit 1')],
  ])('is refused when it is named and %s', async (_why, make) => {
    const world = await tinyWorld();
    const named = await make(join(world.folder, 'named'));
    await expect(ensure(world, { BACKSTAY_TINY: named })).rejects.toMatchObject({ code: 'TOOL_MISSING' });
  });

  it('is a relative entry of PATH, because it depends on where one stands', async () => {
    const world = await tinyWorld();
    await symlink('/bin', join(world.folder, 'relative'));
    expect(await ensure(world, { PATH: `.:relative:${world.env['PATH']}` })).toMatchObject({ origin: 'built' });
  });

  it('is a name that the catalogue does not have', async () => {
    const world = await tinyWorld();
    const asked = ensureFrom(world.catalogue, ['teeny'], { env: world.env, cacheDir: world.cacheDir });
    await expect(asked).rejects.toMatchObject({ code: 'TOOL_MISSING', next: 'Known are tiny.' });
  });
});

describe('a version that was asked once', () => {
  it('is asked again when the program changes', async () => {
    const world = await tinyWorld();
    const path = join(world.folder, 'elsewhere', 'tiny');
    const env = { PATH: `${join(world.folder, 'elsewhere')}:${world.env['PATH']}` };
    await program(path, '1.5.0');
    expect(await ensure(world, env)).toMatchObject({ version: '1.5.0' });
    await rm(path);
    await program(path, '1.6.0-beta.1');
    expect(await ensure(world, env)).toMatchObject({ version: '1.6.0-beta.1' });
  });

  it('is not asked again when nothing changed', async () => {
    const world = await tinyWorld();
    const calls = join(world.folder, 'calls');
    await script(join(world.folder, 'counted', 'tiny'), `echo x >> '${calls}'`, 'echo "tiny version 1.5.0"');
    const env = { PATH: `${join(world.folder, 'counted')}:${world.env['PATH']}` };
    await ensure(world, env);
    await rm(calls);
    expect(await ensure(world, env)).toMatchObject({ version: '1.5.0' });
    await expect(rm(calls)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('the list', () => {
  it('says what is missing and makes nothing', async () => {
    const world = await tinyWorld();
    const list = await listFrom(world.catalogue, { env: world.env, cacheDir: world.cacheDir });
    expect(list).toEqual([{ state: 'missing', name: 'tiny', version: '1.2.3', reason: 'not fetched yet' }]);
    expect(await world.goCommands()).toEqual([]);
  });

  it('names version, origin, path and size of what is there', async () => {
    const { world, env } = await placed('cache');
    const [status] = await listFrom(world.catalogue, { env: { ...world.env, ...env }, cacheDir: world.cacheDir });
    expect(status).toMatchObject({ state: 'found', origin: 'cache', version: '1.2.3', sizeBytes: expect.any(Number) });
  });

  it('goes on when a variable names something useless', async () => {
    const world = await tinyWorld();
    const env = { ...world.env, BACKSTAY_TINY: '/nowhere/tiny' };
    const [status] = await listFrom(world.catalogue, { env, cacheDir: world.cacheDir });
    expect(status).toMatchObject({ state: 'missing', reason: expect.stringContaining('/nowhere/tiny') });
  });
});
