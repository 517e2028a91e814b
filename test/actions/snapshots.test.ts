import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { annotateSnapshot, listSnapshots, showSnapshot, verifySnapshots } from '../../src/actions/snapshots.ts';
import type { CheckResult } from '../../src/model/index.ts';
import { configMap, newSnapshot, secret, type TemporaryStore, temporaryStore } from '../support/snapshots.ts';

let place: TemporaryStore;
beforeEach(async () => {
  place = await temporaryStore();
});
afterEach(() => place.remove());

const put = (name: string, record = {}): ReturnType<TemporaryStore['store']['put']> =>
  place.store.put(
    'demo',
    newSnapshot(place, [configMap(name, {}), secret('db', { password: 'canary-hunter2', user: 'app' })], record),
  );

const passed: CheckResult = {
  name: 'health',
  kind: 'http',
  verdict: 'pass',
  reason: '200',
  at: '2026-01-01T00:00:00Z',
  durationMs: 3,
};

describe('the list of snapshots', () => {
  test('has a line for each sighting, newest first, with labels and holds as they are now', async () => {
    await put('a', { verdict: 'pass', labels: ['v1'] });
    const b = await put('b', { verdict: 'pass', labels: ['v2'] });
    await put('a', { verdict: 'fail' });
    await annotateSnapshot({ stack: 'demo', target: 'v2', held: { run: 'r1', reason: 'slow' } }, place);
    const { rows, damaged } = await listSnapshots('demo', place);
    expect(damaged).toEqual([]);
    expect(
      rows.map(({ labels, verdict, knownGood, held }) => ({ labels, verdict, knownGood, held: held?.reason })),
    ).toEqual([
      { labels: ['v1'], verdict: 'fail', knownGood: false, held: undefined },
      { labels: ['v2'], verdict: 'pass', knownGood: false, held: 'slow' },
      { labels: [], verdict: 'pass', knownGood: true, held: undefined },
    ]);
    expect(rows[1]?.shortId).toBe(b.record.id.slice(7, 19));
  });

  test('shows a hold that a person released, and who relabelled', async () => {
    await put('a', { verdict: 'pass', labels: ['v1'] });
    await annotateSnapshot({ stack: 'demo', target: 'v1', held: { run: 'r1', reason: 'slow' } }, place);
    const row = await annotateSnapshot(
      { stack: 'demo', target: 'v1', held: null, labels: ['v1', 'stable'], note: 'it was the network' },
      place,
    );
    expect(row).toMatchObject({
      labels: ['stable', 'v1'],
      knownGood: true,
      note: 'it was the network',
      reason: 'relabel',
    });
    expect(row).not.toHaveProperty('held');
    expect((await listSnapshots('demo', place)).rows).toHaveLength(1);
  });

  test('does not let an unsigned record change what is said of a signed one', async () => {
    const signed = await put('a', { labels: ['v1'], verdict: 'pass' });
    await place.store.put('demo', {
      ...newSnapshot(place, [configMap('evil', {})], { labels: ['v1'], verdict: 'pass' }),
      sign: false,
    });
    const { rows } = await listSnapshots('demo', place);
    expect(rows.find(({ id }) => id === signed.record.id)?.labels).toEqual(['v1']);
  });
});

describe('one snapshot', () => {
  test('is shown with its objects, the names of its secrets, its checks, and no value', async () => {
    await put('a', { checks: [passed], verdict: 'pass', labels: ['v1'] });
    await annotateSnapshot({ stack: 'demo', target: 'v1', labels: ['v1', 'v1.0'] }, place);
    const details = await showSnapshot({ stack: 'demo', target: 'v1.0' }, place);
    expect(details).toMatchObject({
      row: { labels: ['v1', 'v1.0'], verdict: 'pass', reason: 'capture' },
      checks: [passed],
      kinds: [
        { kind: 'ConfigMap', names: ['production/a'] },
        { kind: 'Secret', names: ['production/db'] },
      ],
      secrets: [{ key: 'core/Secret/production/db', dataKeys: ['password', 'user'] }],
    });
    expect(details.sightings).toHaveLength(2);
    expect(JSON.stringify(details)).not.toMatch(/hunter2|Y2FuYXJ5/);
  });

  test('is verified by itself or with all others, and damage is a finding, not an error', async () => {
    const a = await put('a', { labels: ['v1'] });
    await put('b', { labels: ['v2'] });
    expect((await verifySnapshots({ stack: 'demo' }, place)).kind).toBe('sound');
    const path = join(place.root, 'demo/blobs/sha256', a.record.id.slice(7));
    await writeFile(path, '{}');
    expect(await verifySnapshots({ stack: 'demo' }, place)).toMatchObject({ kind: 'damaged' });
    expect(await verifySnapshots({ stack: 'demo', target: 'v2' }, place)).toMatchObject({ kind: 'sound' });
    const { findings } = await verifySnapshots({ stack: 'demo', target: a.record.id.slice(7, 15) }, place);
    expect(findings.filter(({ ok }) => !ok).map((finding) => finding.path)).toEqual([path]);
  });
});
