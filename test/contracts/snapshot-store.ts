import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/errors/index.ts';
import { contentId, type Digest, type KubeObject, keyOf, shortId, type Sighting } from '../../src/model/index.ts';
import type { DamagedEntry, NewSnapshot, SnapshotStore } from '../../src/ports/index.ts';
import { configMap, newSnapshot, secret, type TemporaryStore } from '../support/snapshots.ts';

/** Gives an empty store; `remove` is called after each test. */
export type MakeStore = () => Promise<TemporaryStore>;

/** What every SnapshotStore must do, whatever it is made of. */
export function snapshotStoreContract(title: string, make: MakeStore): void {
  describe(`${title} as a snapshot store`, () => {
    let place: TemporaryStore;
    let store: SnapshotStore;
    const name = 'demo';
    beforeEach(async () => {
      place = await make();
      ({ store } = place);
    });
    afterEach(() => place.remove());

    const put = (
      objects: readonly KubeObject[],
      record: Partial<NewSnapshot['record']> = {},
      sign = true,
    ): Promise<Sighting> => store.put(name, { ...newSnapshot(place, objects, record), sign });
    const resolved = async (target: string, options?: { allowUnsigned?: boolean; live?: Digest }): Promise<Digest> =>
      (await store.resolve(name, target, options)).id;
    const refusal = (promise: Promise<unknown>, code: ErrorCode): Promise<unknown> =>
      expect(promise).rejects.toMatchObject({ code });

    test('gives back what was stored, with its record and the name of the key that signed it', async () => {
      const objects = [configMap('b', { x: '1' }), configMap('a', { y: '2' })];
      const { record } = await put(objects, { labels: ['v1.2.2'], note: 'before the change', verdict: 'pass' });
      const snapshot = await store.get(name, record.id);
      expect(snapshot.content.objects).toEqual([objects[1], objects[0]]);
      expect(snapshot.id).toBe(contentId(snapshot.content));
      expect(snapshot.sighting).toMatchObject({
        record: { labels: ['v1.2.2'], note: 'before the change', verdict: 'pass', by: { user: 'tester' } },
        signature: { state: 'trusted', key: 'tester' },
      });
    });

    test('gives the same content one id, and each sighting of it a record of its own', async () => {
      const first = await put([configMap('a', { x: '1', y: '2' }), configMap('b', {})]);
      const again = await put([configMap('b', {}), configMap('a', { y: '2', x: '1' })]);
      expect(again.record.id).toBe(first.record.id);
      expect(again.recordDigest).not.toBe(first.recordDigest);
      expect(await store.list(name)).toEqual([again, first]);
    });

    test('has nothing at first, and says so by the code of an unknown target', async () => {
      expect(await store.list(name)).toEqual([]);
      expect(await store.verify(name)).toEqual([]);
      for (const target of ['previous', 'known-good', 'abcd', 'v1'])
        await refusal(store.resolve(name, target), 'TARGET_UNKNOWN');
    });

    test('finds a snapshot by four or more digits of its id, with and without the algorithm', async () => {
      const { id } = (await put([configMap('a', {})])).record;
      const hex = id.slice(7);
      for (const target of [id, hex, hex.slice(0, 4), `sha256:${hex.slice(0, 8)}`, shortId(id)])
        expect(await resolved(target)).toBe(id);
      await refusal(store.resolve(name, hex.slice(0, 3)), 'TARGET_UNKNOWN');
    });

    test('lists the candidates when a few digits mean several snapshots', async () => {
      // With 700 ids, two that share four digits are all but certain; the one that decides is searched for without the store.
      const seen = new Map<string, KubeObject>();
      let pair: readonly KubeObject[] = [];
      let prefix = '';
      for (let i = 0; pair.length === 0; i++) {
        const object = configMap('a', { i: String(i) });
        prefix = contentId(newSnapshot(place, [object]).content).slice(7, 11);
        const twin = seen.get(prefix);
        if (twin !== undefined) pair = [twin, object];
        seen.set(prefix, object);
      }
      const ids = [];
      for (const object of pair) ids.push((await put([object])).record.id);
      await expect(store.resolve(name, prefix)).rejects.toMatchObject({
        code: 'TARGET_AMBIGUOUS',
        details: { candidates: ids.toSorted() },
      });
    });

    test('lets a label lead to the content that carried it last, and names the label that was probably meant', async () => {
      const a = await put([configMap('a', {})], { labels: ['stable'] });
      const b = await put([configMap('b', {})], { labels: ['v2'] });
      expect(await resolved('stable')).toBe(a.record.id);
      await store.annotate(name, b.record.id, { labels: ['stable', 'v2'] });
      expect(await resolved('stable')).toBe(b.record.id);
      await store.annotate(name, b.record.id, { labels: ['v2'] });
      await refusal(store.resolve(name, 'stable'), 'TARGET_UNKNOWN');
      await expect(store.resolve(name, 'v3')).rejects.toThrow(/Did you mean v2/);
    });

    test.each(['previous', 'known-good', '', 'a b', 'deployment/x', 'x@3', '-a'])(
      'refuses the label "%s"',
      async (label) => {
        await refusal(put([configMap('a', {})], { labels: [label] }), 'USAGE');
        expect(await store.list(name)).toEqual([]);
      },
    );

    test('means by previous the newest different one that was live and is not held', async () => {
      const a = (await put([configMap('a', {})])).record.id;
      const b = (await put([configMap('b', {})])).record.id;
      await put([configMap('imported', {})], { reason: 'import' });
      await put([configMap('b', {})]);
      expect(await resolved('previous')).toBe(a);
      expect(await resolved('previous', { live: a })).toBe(b);
      expect(await resolved('previous', { live: contentId(newSnapshot(place, []).content) })).toBe(b);
      await store.annotate(name, b, { held: { run: 'r1', reason: 'slow' } });
      await refusal(store.resolve(name, 'previous', { live: a }), 'TARGET_UNKNOWN');
    });

    test('means by known-good the newest that passed and is not held, until a person releases it', async () => {
      const good = (await put([configMap('a', {})], { verdict: 'pass' })).record.id;
      const bad = (await put([configMap('b', {})], { verdict: 'pass' })).record.id;
      await put([configMap('c', {})], { verdict: 'unknown' });
      await put([configMap('d', {})], { verdict: 'fail' });
      expect(await resolved('known-good')).toBe(bad);
      await store.annotate(name, bad, { held: { run: 'r1', reason: 'errors' } });
      expect(await resolved('known-good')).toBe(good);
      // Seen again, with checks that pass: still held. Relabelled: still held. Released: good again.
      await put([configMap('b', {})], { verdict: 'pass' });
      await store.annotate(name, bad, { labels: ['looked-at'] });
      expect(await resolved('known-good')).toBe(good);
      await store.annotate(name, bad, { held: null });
      expect(await resolved('known-good')).toBe(bad);
      expect(await resolved('looked-at')).toBe(bad);
    });

    test('uses an unsigned snapshot only when told to, and lets it decide nothing otherwise', async () => {
      const signed = (await put([configMap('a', {})], { verdict: 'pass', labels: ['stable'] })).record.id;
      const unsigned = (await put([configMap('b', {})], { verdict: 'pass', labels: ['stable', 'only'] }, false)).record
        .id;
      expect(await resolved('stable')).toBe(signed);
      expect(await resolved('known-good')).toBe(signed);
      for (const target of [unsigned, 'only']) await refusal(store.resolve(name, target), 'SNAPSHOT_UNSIGNED');
      await refusal(store.get(name, unsigned), 'SNAPSHOT_UNSIGNED');
      expect(await resolved('only', { allowUnsigned: true })).toBe(unsigned);
      expect((await store.get(name, unsigned, { allowUnsigned: true })).sighting.signature).toEqual({
        state: 'unsigned',
      });
      expect((await store.verify(name)).filter(({ ok }) => !ok)).toHaveLength(1);
    });

    test('keeps Secret values apart: hashes in the content, the values themselves only for who has the identity', async () => {
      const password = secret('db', { password: 'canary-hunter2', user: 'app' });
      const { id } = (await put([password, configMap('a', {})])).record;
      const snapshot = await store.get(name, id);
      expect(JSON.stringify(snapshot)).not.toContain(Buffer.from('canary-hunter2').toString('base64'));
      const values = await store.secrets(name, snapshot);
      expect(values).toEqual(new Map([[keyOf(password), password.data]]));
      expect(place.hasher.reveal(snapshot.content.objects, values)).toContainEqual(password);
    });

    test('gives another id when only a Secret value differs, and the same id when nothing does', async () => {
      const one = await put([secret('db', { password: 'a' })]);
      const two = await put([secret('db', { password: 'b' })]);
      const same = await put([secret('db', { password: 'a' })]);
      expect(two.record.id).not.toBe(one.record.id);
      expect(same.record.id).toBe(one.record.id);
    });

    test('keeps the secrets of a snapshot readable after it was relabelled', async () => {
      const { id } = (await put([secret('db', { password: 'a' })])).record;
      await store.annotate(name, id, { labels: ['x'] });
      const snapshot = await store.resolve(name, 'x');
      expect(snapshot.sighting.record).toMatchObject({ reason: 'relabel', labels: ['x'] });
      expect(await store.secrets(name, snapshot)).toHaveProperty('size', 1);
    });

    test('refuses to store a Secret in clear, or without the values of its hashes', async () => {
      const open = newSnapshot(place, []);
      await refusal(
        store.put(name, { ...open, content: { ...open.content, objects: [secret('db', { a: 'b' })] } }),
        'INTERNAL',
      );
      await refusal(
        store.put(name, { ...newSnapshot(place, [secret('db', { a: 'b' })]), secrets: new Map() }),
        'INTERNAL',
      );
      const other = newSnapshot(place, [secret('db', { a: 'c' })]).secrets;
      await refusal(store.put(name, { ...newSnapshot(place, [secret('db', { a: 'b' })]), secrets: other }), 'INTERNAL');
      expect(await store.list(name)).toEqual([]);
    });

    test('keeps every one of many snapshots that are stored at the same time', async () => {
      const puts = Array.from({ length: 12 }, (_, i) => put([configMap('a', { i: String(i) })]));
      const ids = new Set((await Promise.all(puts)).map(({ record }) => record.id));
      const listed = (await store.list(name)).filter(
        (entry): entry is Sighting => !('damaged' in (entry as DamagedEntry)),
      );
      expect(new Set(listed.map(({ record }) => record.id))).toEqual(ids);
      expect((await store.verify(name)).every(({ ok }) => ok)).toBe(true);
    });

    describe('that removes a content on purpose', () => {
      const why = { because: 'finalized', run: 'r1' } as const;

      test('keeps its records, refuses it by a code of its own, and calls nothing damaged', async () => {
        const gone = await put([configMap('a', {}), secret('db', { password: 'a' })], {
          verdict: 'pass',
          labels: ['v1'],
        });
        const kept = await put([configMap('b', {}), secret('db', { password: 'a' })], { verdict: 'pass' });
        const { id } = gone.record;
        const size = (await store.sizes(name)).get(id) ?? 0;
        expect(size).toBeGreaterThan(0);
        expect(await store.prune(name, id, why)).toEqual({ changed: true, bytes: size });
        for (const target of [id, shortId(id), 'v1']) await refusal(store.resolve(name, target), 'SNAPSHOT_REMOVED');
        await expect(store.get(name, id)).rejects.toMatchObject({
          code: 'SNAPSHOT_REMOVED',
          message: expect.stringMatching(/tester.*run r1 was finalized/),
          details: { id, because: 'finalized', run: 'r1' },
        });
        const listed = await store.list(name);
        expect(listed).toHaveLength(3);
        expect(listed[0]).toMatchObject({
          record: { id, reason: 'removal', removed: why },
          signature: { state: 'trusted' },
        });
        const findings = await store.verify(name);
        expect(findings.filter(({ ok }) => !ok)).toEqual([]);
        expect(findings.map(({ message }) => message)).toContain('content removed on purpose (finalized)');
        expect((await store.sizes(name)).get(id)).toBe(0);
        // What the other one needs is still there.
        expect(await store.secrets(name, await store.get(name, kept.record.id))).toHaveProperty('size', 1);
      });

      test('means by known-good and previous only what is still there', async () => {
        const a = (await put([configMap('a', {})], { verdict: 'pass' })).record.id;
        const b = (await put([configMap('b', {})], { verdict: 'pass' })).record.id;
        await put([configMap('c', {})]);
        await store.prune(name, b, { because: 'retention' });
        expect(await resolved('known-good')).toBe(a);
        expect(await resolved('previous')).toBe(a);
      });

      test('does nothing more when it is asked again, and finishes what was cut off', async () => {
        const { id } = (await put([configMap('a', {}), secret('db', { password: 'a' })])).record;
        await store.prune(name, id, why);
        expect(await store.prune(name, id, why)).toEqual({ changed: false, bytes: 0 });
        expect(await store.list(name)).toHaveLength(2);
        await refusal(store.prune(name, contentId(newSnapshot(place, []).content), why), 'TARGET_UNKNOWN');
      });

      test('has it back when it is stored once more, whatever the clock says', async () => {
        const first = newSnapshot(place, [configMap('a', {}), secret('db', { password: 'a' })]);
        const { id } = (await store.put(name, first)).record;
        await store.prune(name, id, why);
        const again = await store.put(name, first);
        expect(again.record.id).toBe(id);
        expect((await store.get(name, id)).content.objects).toHaveLength(2);
        expect(await store.secrets(name, await store.get(name, id))).toHaveProperty('size', 1);
        expect((await store.verify(name)).filter(({ ok }) => !ok)).toEqual([]);
        expect((await store.sizes(name)).get(id)).toBeGreaterThan(0);
      });
    });

    test('proves its keys without a snapshot and with one', async () => {
      await expect(store.proveKeys(name)).resolves.toBeUndefined();
      const { id } = (await put([secret('db', { password: 'a' })])).record;
      await expect(store.proveKeys(name, await store.get(name, id))).resolves.toBeUndefined();
    });
  });
}
