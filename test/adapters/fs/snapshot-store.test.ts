import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFsSnapshotStore, initKeys } from '../../../src/adapters/fs/index.ts';
import { canonicalJson, digestOfBytes, type Sighting } from '../../../src/model/index.ts';
import { snapshotStoreContract } from '../../contracts/snapshot-store.ts';
import { configMap, newSnapshot, secret, type TemporaryStore, temporaryStore } from '../../support/snapshots.ts';
import { errorOf, putIn, readAll } from './storing.ts';

/** A place in a file. */
const SHARE = fc.double({ min: 0, max: 1, noNaN: true });

snapshotStoreContract('the folder of files', () => temporaryStore());

let place: TemporaryStore;
beforeEach(async () => {
  place = await temporaryStore();
});
afterEach(() => place.remove());

const folder = (): string => join(place.root, 'demo');
const blobFolder = (): string => join(folder(), 'blobs/sha256');
const blobPath = (digest: string): string => join(blobFolder(), digest.slice(7));
const put = async (i: number, record = {}): Promise<Sighting> => await putIn(place, i, record);
const use = async (target: string): Promise<true> => await readAll(place, target);

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  const index = Math.min(bytes.length - 1, Math.max(0, at));
  bytes[index] = (bytes[index] ?? 0) ^ 0x01;
  await writeFile(path, bytes);
}

describe('a damaged store', () => {
  test('refuses every file that was changed by a byte, cut, emptied or removed, by its name', async () => {
    const damage = fc.constantFrom('flip', 'truncate', 'empty', 'remove');
    const attempt = fc.asyncProperty(SHARE, damage, async (where, how) => {
      const { record } = await put(1, { labels: ['v1'] });
      const files = (await readdir(blobFolder())).map((name) => join(blobFolder(), name));
      expect(files).toHaveLength(4);
      for (const path of files) {
        const before = await readFile(path);
        if (how === 'flip') await flip(path, Math.floor(where * before.length));
        else if (how === 'remove') await rm(path);
        else await writeFile(path, before.subarray(0, how === 'empty' ? 0 : Math.floor(where * (before.length - 1))));
        for (const target of [record.id, 'v1']) {
          const error = await errorOf(use(target));
          expect(error).toMatchObject({ code: 'SNAPSHOT_TAMPERED', at: { file: path } });
          expect(error.message).toContain(path);
        }
        expect((await place.store.verify('demo')).filter(({ ok }) => !ok).map((finding) => finding.path)).toEqual([
          path,
        ]);
        await writeFile(path, before);
      }
      expect(await use('v1')).toBe(true);
      await rm(folder(), { recursive: true });
    });
    await fc.assert(attempt, { numRuns: 12 });
  });

  test('names the digest that was expected and the one that was found', async () => {
    const { record } = await put(1);
    const path = blobPath(record.id);
    await flip(path, 20);
    const actual = digestOfBytes(await readFile(path));
    expect(await errorOf(place.store.get('demo', record.id))).toMatchObject({
      details: { path, expected: record.id, actual },
    });
  });

  test('refuses two files whose contents were exchanged', async () => {
    const [one, two] = [await put(1), await put(2)];
    const [a, b] = [blobPath(one.record.id), blobPath(two.record.id)];
    await rename(a, `${a}.x`);
    await rename(b, a);
    await rename(`${a}.x`, b);
    for (const { record } of [one, two]) expect((await errorOf(use(record.id))).code).toBe('SNAPSHOT_TAMPERED');
  });

  test('refuses the age file of another snapshot, even when the record names it', async () => {
    const [one, two] = [await put(1), await put(2)];
    const snapshot = await place.store.get('demo', one.record.id);
    const swapped = {
      ...snapshot,
      sighting: { ...snapshot.sighting, record: { ...snapshot.sighting.record, ...pick(two.record.secrets) } },
    };
    expect(await errorOf(place.store.secrets('demo', swapped))).toMatchObject({ code: 'SNAPSHOT_TAMPERED' });
  });

  test('refuses a record whose signature does not fit, and one that a stranger signed', async () => {
    const { record, recordDigest } = await put(1, { labels: ['v1'] });
    const signatureFile = await fileOfKind('SnapshotSignature');
    const signature = JSON.parse(await readFile(signatureFile, 'utf8')) as Record<string, string>;
    const forged = { ...record, verdict: 'pass' };
    const forgedDigest = await write(canonicalJson(forged));
    await write(canonicalJson({ ...signature, record: forgedDigest }));
    expect(await errorOf(place.store.resolve('demo', 'known-good'))).toMatchObject({ code: 'SNAPSHOT_TAMPERED' });
    await rm(blobPath(forgedDigest));
    await rm(join(folder(), 'index.json'));
    expect(recordDigest).not.toBe(forgedDigest);

    const other = await initKeys('demo', join(place.root, 'other-keys'), 'stranger');
    const stranger = createFsSnapshotStore({
      root: place.root,
      stack: {
        ...place.stack,
        signing: { key: { file: join(place.root, 'other-keys/signing.jwk') }, trusted: [other.trusted] },
      },
      keys: place.keys,
      clock: { now: Date.now },
      by: { user: 'x', host: 'y', version: 'z' },
    });
    const theirs = await stranger.put(
      'demo',
      newSnapshot(place, [configMap('evil', {})], { verdict: 'pass', labels: ['v9'] }),
    );
    expect(await errorOf(place.store.get('demo', theirs.record.id))).toMatchObject({ code: 'SNAPSHOT_UNSIGNED' });
    expect((await errorOf(place.store.resolve('demo', 'v9'))).code).toMatch(/SNAPSHOT_(UNSIGNED|TAMPERED)/);
  });

  test('shows damaged entries in the list beside the sound ones', async () => {
    const [one, two] = [await put(1), await put(2)];
    await flip(blobPath(one.recordDigest), 5);
    const listed = await place.store.list('demo');
    expect(listed).toHaveLength(2);
    expect(listed[0]).toMatchObject({
      path: blobPath(one.recordDigest),
      damaged: expect.stringContaining('does not match its digest') as string,
    });
    expect(listed[1]).toEqual(two);
  });

  test('answers an id, but not what "newest" means, while some record is unreadable', async () => {
    const [one, two] = [await put(1, { verdict: 'pass' }), await put(2, { verdict: 'pass' })];
    await flip(blobPath(two.recordDigest), 5);
    expect(await use(one.record.id)).toBe(true);
    const error = await errorOf(place.store.resolve('demo', 'known-good'));
    expect(error).toMatchObject({ code: 'SNAPSHOT_TAMPERED', at: { file: blobPath(two.recordDigest) } });
    expect(error.next).toContain('by its id');
  });

  test('heals a damaged content when the same content is captured again', async () => {
    const { record } = await put(1);
    await flip(blobPath(record.id), 9);
    await put(1);
    expect(await use(record.id)).toBe(true);
  });
});

describe('a removal', () => {
  test('that was killed half way is told as such, and finished by another', async () => {
    const { record } = await put(1);
    const content = join(blobFolder(), record.id.slice('sha256:'.length));
    const bytes = await readFile(content);
    const why = { because: 'finalized', run: 'r1' } as const;
    await place.store.prune('demo', record.id, why);
    // As a process leaves it that died after the record was written.
    await writeFile(content, bytes);
    expect(await errorOf(place.store.get('demo', record.id))).toMatchObject({ code: 'SNAPSHOT_REMOVED' });
    const told = (await place.store.verify('demo')).find(({ path }) => path === content);
    expect(told).toMatchObject({ ok: true, message: expect.stringContaining('still there') });
    expect(await place.store.prune('demo', record.id, why)).toEqual({ changed: true, bytes: bytes.length });
    expect((await readdir(blobFolder())).length).toBe(4);
  });

  test('is not believed without a trusted signature: the files are then missing, not removed', async () => {
    const { record } = await put(1);
    await put(1, {});
    const files = (await readdir(blobFolder())).map((name) => join(blobFolder(), name));
    const removal = {
      ...record,
      reason: 'removal',
      removed: { because: 'retention' },
      capturedAt: '2030-01-01T00:00:00.000Z',
    };
    const text = canonicalJson(removal);
    await writeFile(join(blobFolder(), digestOfBytes(text).slice('sha256:'.length)), text);
    expect(files).not.toHaveLength(0);
    expect(await use(record.id)).toBe(true);
    await rm(join(blobFolder(), record.id.slice('sha256:'.length)));
    expect(await errorOf(place.store.get('demo', record.id))).toMatchObject({ code: 'SNAPSHOT_TAMPERED' });
  });
});

describe('the index', () => {
  test('is made again when a byte of it was changed, is shown as damaged, and loses nothing', async () => {
    const attempt = fc.asyncProperty(SHARE, async (where) => {
      const sightings = [await put(1), await put(2, { labels: ['v2'] })];
      const path = join(folder(), 'index.json');
      await flip(path, Math.floor(where * (await readFile(path)).length));
      const listed = await place.store.list('demo');
      expect(listed.filter((entry) => 'record' in entry)).toEqual(sightings.toReversed());
      expect((await place.store.verify('demo')).filter(({ ok }) => !ok).map((finding) => finding.path)).toEqual([path]);
      expect(await use('v2')).toBe(true);
      await put(3);
      expect((await place.store.verify('demo')).every(({ ok }) => ok)).toBe(true);
      await rm(folder(), { recursive: true });
    });
    await fc.assert(attempt, { numRuns: 15 });
  });

  test('may be absent, cut in two, or of a merge: the records are the truth', async () => {
    await put(1, { labels: ['v1'] });
    const path = join(folder(), 'index.json');
    const text = await readFile(path, 'utf8');
    for (const other of [
      '',
      text.slice(0, 40),
      `<<<<<<< HEAD\n${text}=======\n`,
      'null',
      '{"format":1}',
      text.replace('"records"', '"recordz"'),
    ]) {
      await writeFile(path, other);
      expect(await use('v1')).toBe(true);
    }
    await rm(path);
    expect(await use('v1')).toBe(true);
  });

  test('of a newer format is refused, not overwritten', async () => {
    await put(1);
    await writeFile(join(folder(), 'index.json'), '{"format": 2}');
    expect((await errorOf(put(2))).code).toBe('SNAPSHOT_FORMAT');
    expect((await errorOf(place.store.list('demo'))).code).toBe('SNAPSHOT_FORMAT');
  });
});

test('a record of a newer format is refused with the version it has and the one that is known', async () => {
  const { record } = await put(1);
  await write(canonicalJson({ ...record, apiVersion: 'backstay.dev/v2' }));
  const [damaged] = await place.store.list('demo');
  expect(damaged).toMatchObject({
    damaged: expect.stringMatching(/backstay\.dev\/v2 .*knows backstay\.dev\/v1/) as string,
  });
});

test('a record copied from another stack is refused', async () => {
  const { record } = await put(1);
  await write(canonicalJson({ ...record, stack: 'staging' }));
  const [damaged] = await place.store.list('demo');
  expect(damaged).toMatchObject({ damaged: expect.stringContaining('of the stack staging, not of demo') as string });
});

test('no file of the store holds a Secret value, in clear or in base64, under property-made values', async () => {
  const value = fc.string({ unit: 'binary', minLength: 8, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value, { minKeys: 1, maxKeys: 4 }),
      async (values) => {
        const object = {
          ...secret('db', values),
          metadata: {
            name: 'db',
            namespace: 'production',
            annotations: { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(values) },
          },
        };
        const { record } = await place.store.put('demo', newSnapshot(place, [object]));
        for (const name of await readdir(folder(), { recursive: true, withFileTypes: true })) {
          if (!name.isFile()) continue;
          const bytes = await readFile(join(name.parentPath, name.name));
          for (const text of Object.values(values)) {
            expect(bytes.includes(text)).toBe(false);
            expect(bytes.includes(Buffer.from(text).toString('base64'))).toBe(false);
          }
        }
        const back = await place.store.secrets('demo', await place.store.get('demo', record.id));
        expect([...back.values()]).toEqual([secret('db', values).data]);
      },
    ),
    { numRuns: 15 },
  );
});

async function write(text: string): Promise<string> {
  const digest = digestOfBytes(text);
  await writeFile(blobPath(digest), text);
  return digest;
}

async function fileOfKind(kind: string): Promise<string> {
  for (const name of await readdir(blobFolder())) {
    const path = join(blobFolder(), name);
    if ((await readFile(path, 'utf8')).includes(`"kind":"${kind}"`)) return path;
  }
  throw new Error(`there is no ${kind}`);
}

function pick<T>(secrets: T | undefined): { secrets: T } | Record<string, never> {
  return secrets === undefined ? {} : { secrets };
}
