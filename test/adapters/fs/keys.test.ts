import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { initStackKeys } from '../../../src/actions/keys.ts';
import { createKeyReader, initKeys } from '../../../src/adapters/fs/index.ts';

let base: string;
let directory: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'backstay-keys-'));
  directory = join(base, 'keys/demo');
});
afterEach(() => rm(base, { recursive: true, force: true }));

const contents = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    await Promise.all(
      (await readdir(directory)).map(async (name) => [name, await readFile(join(directory, name), 'utf8')] as const),
    ),
  );

describe('making keys', () => {
  test('fills a folder that only its owner can open, with private files that only the owner can read', async () => {
    const made = await initKeys('demo', directory, 'anna@laptop');
    const modes = await Promise.all(
      made.created.map(async (name) => [name, (await stat(join(directory, name))).mode & 0o777] as const),
    );
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect(Object.fromEntries(modes)).toMatchObject({
      'identity.txt': 0o600,
      'comparison.key': 0o600,
      'signing.jwk': 0o600,
      passphrase: 0o600,
    });
    expect(made.created.toSorted()).toEqual((await readdir(directory)).toSorted());
    expect(made.recipient).toMatch(/^age1/);
    expect(made.trusted).toEqual({
      name: 'anna@laptop',
      publicKey: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/) as string,
    });
  });

  test('never overwrites a key, and says which were there', async () => {
    const first = await initStackKeys({ stack: 'demo', directory, owner: 'a' }, { initKeys });
    const before = await contents();
    const again = await initStackKeys({ stack: 'demo', directory, owner: 'b' }, { initKeys });
    expect(await contents()).toEqual(before);
    expect([first.kind, again.kind]).toEqual(['made', 'already-there']);
    expect(again.created).toEqual([]);
    expect(again.recipient).toBe(first.recipient);
    expect(again.trusted.publicKey).toBe(first.trusted.publicKey);
  });

  test('makes public files again from the private ones that are there', async () => {
    const first = await initKeys('demo', directory, 'a');
    await rm(join(directory, 'recipients.txt'));
    await rm(join(directory, 'trusted.json'));
    const again = await initKeys('demo', directory, 'a');
    expect(again.created).toEqual(['recipients.txt', 'trusted.json']);
    expect([again.recipient, again.trusted]).toEqual([first.recipient, first.trusted]);
  });

  test('tells what to put into the stack file, and nothing that is private', async () => {
    const made = await initStackKeys({ stack: 'demo', directory, owner: 'a' }, { initKeys });
    const files = await contents();
    expect(made.shared).toContain(made.recipient);
    for (const name of ['identity.txt', 'comparison.key', 'passphrase'])
      expect(JSON.stringify(made)).not.toContain(files[name]?.trim());
    expect(JSON.stringify(made)).not.toContain((JSON.parse(files['signing.jwk'] ?? '{}') as { d: string }).d);
  });
});

describe('reading a key', () => {
  test('comes from the variable or the file that is named, without the space around it', async () => {
    const file = join(base, 'key');
    await writeFile(file, ' secret \n', { mode: 0o600 });
    const reader = createKeyReader({ A: ' value\n' });
    expect([await reader.read({ env: 'A' }), await reader.read({ file })]).toEqual(['value', 'secret']);
  });

  test('names the variable or the file that is missing or empty', async () => {
    const empty = join(base, 'empty');
    await writeFile(empty, '\n', { mode: 0o600 });
    const reader = createKeyReader({ EMPTY: ' ' });
    for (const [source, named] of [
      [{ env: 'NONE' }, 'NONE'],
      [{ env: 'EMPTY' }, 'EMPTY'],
      [{ file: join(base, 'none') }, join(base, 'none')],
      [{ file: empty }, empty],
      [{ file: base }, base],
    ] as const) {
      await chmod(base, 0o700);
      await expect(reader.read(source)).rejects.toMatchObject({
        code: 'KEY_MISSING',
        message: expect.stringContaining(named) as string,
      });
    }
  });

  test.each([
    [0o604, 'KEY_EXPOSED'],
    [0o644, 'KEY_EXPOSED'],
    [0o660, 'KEY_EXPOSED'],
  ])('refuses a file of mode %o', async (mode, code) => {
    const file = join(base, 'key');
    await writeFile(file, 'secret');
    await chmod(file, mode);
    await expect(createKeyReader({}).read({ file })).rejects.toMatchObject({
      code,
      next: expect.stringContaining(`chmod 600 ${file}`) as string,
    });
  });

  test.each([0o600, 0o400, 0o640])('accepts a file of mode %o', async (mode) => {
    const file = join(base, 'key');
    await writeFile(file, 'secret');
    await chmod(file, mode);
    expect(await createKeyReader({}).read({ file })).toBe('secret');
  });
});
