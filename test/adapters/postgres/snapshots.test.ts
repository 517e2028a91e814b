import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createPostgresSnapshotStore } from '../../../src/adapters/postgres/snapshots/index.ts';
import { createTable } from '../../../src/adapters/postgres/snapshots/table.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import { digestOfBytes, type Sighting } from '../../../src/model/index.ts';
import type { SnapshotStore } from '../../../src/ports/index.ts';
import { snapshotStoreContract } from '../../contracts/snapshot-store.ts';
import { type JournalServer, journalServer } from '../../support/journal-server.ts';
import { configMap, newSnapshot, secret, type TemporaryStore, temporaryStore } from '../../support/snapshots.ts';

let server: JournalServer;
beforeAll(async () => {
  server = await journalServer();
});
afterAll(async () => {
  await server.stop();
});

type Opened = SnapshotStore & { close(): Promise<void> };
const by = { user: 'tester', host: 'here', version: '0.0.0' };
/** The store of one more machine with the same keys. */
const open = (place: TemporaryStore, url: string): Opened =>
  createPostgresSnapshotStore({
    url,
    stack: place.stack,
    keys: place.keys,
    by,
    clock: { ...createSystemClock(), now: () => Date.parse(place.now()) },
  });

snapshotStoreContract('a PostgreSQL database', async () => {
  const place = await temporaryStore();
  const store = open(place, await server.database());
  return {
    ...place,
    store,
    remove: async () => {
      await store.close();
      await place.remove();
    },
  };
});

describe('snapshots that machines share', () => {
  let place: TemporaryStore;
  let url: string;
  let one: Opened;
  let two: Opened;
  beforeEach(async () => {
    place = await temporaryStore();
    url = await server.database();
    [one, two] = [open(place, url), open(place, url)];
  });
  afterEach(async () => {
    await Promise.all([one.close(), two.close(), place.remove()]);
  });
  const snapshot = (i: number, record = {}) =>
    newSnapshot(place, [configMap('a', { i: String(i) }), secret('db', { password: `canary-${i}` })], record);
  const rows = async (text: string, values: readonly unknown[] = []) => await server.query(url, text, values);

  test('are seen by all, and many that are stored at once from two of them are all there', async () => {
    const first = await one.put('demo', snapshot(0, { verdict: 'pass' }));
    expect((await two.resolve('demo', 'known-good')).id).toBe(first.record.id);
    const stored = await Promise.all(
      [one, two, one, two, one, two].map(async (store, i) => await store.put('demo', snapshot(i + 1))),
    );
    for (const store of [one, two]) {
      const listed = (await store.list('demo')) as readonly Sighting[];
      expect(listed.map(({ recordDigest }) => recordDigest).toSorted()).toEqual(
        [first, ...stored].map(({ recordDigest }) => recordDigest).toSorted(),
      );
      expect((await store.verify('demo')).filter(({ ok }) => !ok)).toEqual([]);
    }
  });

  test('are the same files as in a folder: either reads what the other stored', async () => {
    await one.put('demo', snapshot(1, { labels: ['v1'] }));
    await one.annotate('demo', (await one.resolve('demo', 'v1')).id, { held: { run: 'r1', reason: 'slow' } });
    const blobs = join(place.root, 'demo', 'blobs', 'sha256');
    await mkdir(blobs, { recursive: true });
    for (const { digest, bytes } of await rows('SELECT digest, bytes FROM backstay_snapshots.files'))
      await writeFile(join(blobs, String(digest).slice('sha256:'.length)), bytes as Buffer);
    expect(await place.store.list('demo')).toEqual(await one.list('demo'));

    const later = await place.store.put('demo', snapshot(2, { labels: ['v2'] }));
    for (const name of await readdir(blobs)) {
      await rows(
        'INSERT INTO backstay_snapshots.files (stack, digest, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
        ['demo', `sha256:${name}`, await readFile(join(blobs, name))],
      );
    }
    expect((await two.resolve('demo', 'v2')).id).toBe(later.record.id);
    expect(await two.secrets('demo', await two.resolve('demo', 'v2'))).toHaveProperty('size', 1);
    expect(await two.list('demo')).toEqual(await place.store.list('demo'));
  });

  test('are found again when what lists them is lost or was made up', async () => {
    await one.put('demo', snapshot(1, { labels: ['v1'] }));
    await one.put('demo', snapshot(2));
    const listed = await one.list('demo');
    await rows('DELETE FROM backstay_snapshots.records');
    expect(await two.list('demo')).toEqual(listed);
    await rows("INSERT INTO backstay_snapshots.records VALUES ('demo', 'x', 'y', NULL, '{z}')");
    expect(await two.list('demo')).toEqual(listed);
    expect((await two.resolve('demo', 'v1')).content.objects).toHaveLength(2);
  });

  test('that were changed are refused by name, whichever file it is, and healed by storing them again', async () => {
    const { record } = await one.put('demo', snapshot(1, { labels: ['v1'] }));
    const files = await rows('SELECT digest, bytes FROM backstay_snapshots.files');
    expect(files).toHaveLength(4);
    for (const { digest, bytes } of files) {
      const set = async (changed: Buffer): Promise<unknown> =>
        await rows('UPDATE backstay_snapshots.files SET bytes = $2 WHERE digest = $1', [digest, changed]);
      const changed = Buffer.from(bytes as Buffer);
      changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1;
      await set(changed);
      const use = async (): Promise<void> => {
        await two.secrets('demo', await two.resolve('demo', record.id));
      };
      await expect(use()).rejects.toMatchObject({
        code: 'SNAPSHOT_TAMPERED',
        message: expect.stringContaining(`#demo/${String(digest).slice('sha256:'.length)}`),
      });
      await set(bytes as Buffer);
      await expect(use()).resolves.toBeUndefined();
    }
    await rows("UPDATE backstay_snapshots.files SET bytes = '' WHERE digest = $1", [record.id]);
    await one.put('demo', snapshot(1));
    expect((await two.get('demo', record.id)).content.objects).toHaveLength(2);
  });

  test('of another stack in the same database are not seen', async () => {
    await one.put('demo', snapshot(1));
    const other = await temporaryStore('other');
    const store = open(other, url);
    expect(await store.list('other')).toEqual([]);
    await store.put('other', newSnapshot(other, [configMap('a', {})]));
    expect(await store.list('other')).toHaveLength(1);
    expect(await one.list('demo')).toHaveLength(1);
    await store.close();
    await other.remove();
  });

  test('keep every Secret value from whoever reads the tables', async () => {
    await one.put('demo', snapshot(1));
    const all = await rows('SELECT bytes FROM backstay_snapshots.files');
    expect(all).toHaveLength(4);
    for (const { bytes } of all) {
      for (const text of ['canary-1', Buffer.from('canary-1').toString('base64')])
        expect((bytes as Buffer).includes(text)).toBe(false);
    }
  });

  test('are asked for again when the server comes back, and are then all there', async () => {
    const first = await one.put('demo', snapshot(1));
    const second = one.put('demo', snapshot(2));
    await server.kill();
    await server.restart();
    const ids = [first.record.id, (await second).record.id];
    expect(((await two.list('demo')) as readonly Sighting[]).map(({ record }) => record.id)).toEqual(ids.toReversed());
    expect((await two.verify('demo')).filter(({ ok }) => !ok)).toEqual([]);
  });

  test('of a newer program are refused', async () => {
    await one.put('demo', snapshot(1));
    await rows('UPDATE backstay_snapshots.about SET version = 7');
    await expect(two.list('demo')).rejects.toMatchObject({
      code: 'SNAPSHOT_FORMAT',
      message: expect.stringContaining('format 7'),
    });
  });

  test.each([
    ['a server that is not there', () => 'postgres://ada:hunter2@127.0.0.1:1/x', 'SNAPSHOTS_UNREACHABLE'],
    ['a wrong password', () => server.urlOf('postgres').replace(':p%C3%A4ss', ':hunter2'), 'SNAPSHOTS_UNREACHABLE'],
    ['a database that is not there', () => server.urlOf('nowhere'), 'SNAPSHOTS_UNREACHABLE'],
  ])('%s is told without the password', async (_what, where, code) => {
    const store = open(place, where());
    const error: unknown = await store.list('demo').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringContaining('the snapshots in postgres://') });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/hunter2|p%C3%A4ss|pässword/);
    await store.close();
  });

  test('what is no address of a database is refused by the name of its variable', () => {
    expect(() => open(place, 'mysql://ada:hunter2@db/x')).toThrow(/^BACKSTAY_SNAPSHOTS_URL/);
  });
});

describe('files that are asked for in one go', () => {
  const digests = Array.from({ length: 50 }, (_, i) => digestOfBytes(String(i)));

  test('are asked for once, each gets its own, and what is not there is told so', async () => {
    const asked: (readonly unknown[])[] = [];
    const files = createTable('demo', 'postgres://db', async (_text, [stack, keys]) => {
      expect(stack).toBe('demo');
      asked.push(keys as readonly unknown[]);
      return digests.slice(1).map((digest) => ({ digest, bytes: Buffer.from(digest) }));
    });
    const found = await Promise.all([...digests, digests[3]!].map(async (digest) => await files.read(digest)));
    expect(asked).toEqual([digests]);
    expect(found.map(String)).toEqual(['undefined', ...digests.slice(1), digests[3]]);
    await files.read(digests[7]!);
    expect(asked).toEqual([digests, [digests[7]]]);
  });

  test('fail together, and can be asked for again', async () => {
    let isAway = true;
    const files = createTable('demo', 'postgres://db', async () => {
      if (isAway) throw new TypeError('away');
      return [];
    });
    const attempts = await Promise.allSettled(digests.map(async (digest) => await files.size(digest)));
    expect(attempts.every(({ status }) => status === 'rejected')).toBe(true);
    isAway = false;
    expect(await files.size(digests[0]!)).toBeUndefined();
  });
});
