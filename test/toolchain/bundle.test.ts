import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BundleSpec, ensureBundle } from '../../src/toolchain/bundle.ts';

let cacheDir: string;
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'backstay-test-bundle-'));
});
afterEach(async () => await rm(cacheDir, { recursive: true, force: true }));

const leftovers = async (): Promise<readonly string[]> =>
  await readdir(join(cacheDir, 'toolchain', '.work')).catch(() => []);

describe('a tool that is a folder', () => {
  let made = 0;
  const spec = (more: Partial<BundleSpec> = {}): BundleSpec => ({
    name: 'thing',
    version: '1.0.0',
    pins: 'a==1',
    program: 'thing',
    make: async (staging, { say }) => {
      made += 1;
      say('making it', 0.5);
      await writeFile(join(staging, 'thing'), '#!/bin/sh\necho made\n');
    },
    ...more,
  });
  beforeEach(() => {
    made = 0;
  });

  it('is made once, whole and runnable, however many want it at once', async () => {
    const told: string[] = [];
    const options = {
      cacheDir,
      env: {},
      onProgress: ({ message }: { readonly message: string }) => told.push(message),
    };
    const entries = await Promise.all([1, 2, 3].map(async () => await ensureBundle(spec(), options)));
    expect(new Set(entries).size).toBe(1);
    expect(await ensureBundle(spec(), options)).toBe(entries[0]);
    expect(made).toBe(1);
    expect(told).toContain('making it');
    const path = join(entries[0] ?? '', 'thing');
    expect(await readFile(path, 'utf8')).toContain('made');
    expect((await stat(path)).mode & 0o111).toBe(0o111);
    expect(await leftovers()).toEqual([]);
  });

  it('is another one where it is made of something else, and made again where it is damaged', async () => {
    const options = { cacheDir, env: {} };
    const first = await ensureBundle(spec(), options);
    expect(await ensureBundle(spec({ pins: 'a==2' }), options)).not.toBe(first);
    await writeFile(join(first, 'thing'), 'cut off');
    await ensureBundle(spec(), options);
    expect(await readFile(join(first, 'thing'), 'utf8')).toContain('made');
    expect(made).toBe(3);
  });

  it('is not there at all where making it fails', async () => {
    const failing = spec({
      make: async (staging) => {
        await writeFile(join(staging, 'thing'), 'half');
        throw new TypeError('no network');
      },
    });
    await expect(ensureBundle(failing, { cacheDir, env: {} })).rejects.toThrow('no network');
    expect(await readdir(join(cacheDir, 'toolchain'))).toEqual(['.work']);
    expect(await leftovers()).toEqual([]);
  });

  it('is not fetched where that is forbidden', async () => {
    const asked = ensureBundle(spec(), { cacheDir, env: { BACKSTAY_OFFLINE: '1' } });
    await expect(asked).rejects.toMatchObject({ code: 'TOOL_MISSING' });
    expect(made).toBe(0);
  });
});
