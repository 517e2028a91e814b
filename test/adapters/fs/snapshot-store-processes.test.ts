import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TemporaryStore, temporaryStore } from '../../support/snapshots.ts';
import { putIn, readAll } from './storing.ts';

let place: TemporaryStore;
beforeEach(async () => {
  place = await temporaryStore();
});
afterEach(() => place.remove());

describe('several processes', () => {
  const run = promisify(execFile);
  const writer = fileURLToPath(new URL('./writer.ts', import.meta.url));

  test('writing at once lose nothing', async () => {
    const args = (from: number): string[] => [
      writer,
      place.root,
      place.keyFolder,
      JSON.stringify(place.stack),
      String(from),
      '8',
    ];
    await Promise.all([run(process.execPath, args(0)), run(process.execPath, args(100))]);
    const listed = await place.store.list('demo');
    expect(listed.filter((entry) => 'record' in entry)).toHaveLength(16);
    expect((await place.store.verify('demo')).filter(({ ok }) => !ok)).toEqual([]);
  });

  test('killed while writing leave a store that reads, verifies and goes on', async () => {
    for (const delay of [5, 30, 70]) {
      const child = execFile(process.execPath, [
        writer,
        place.root,
        place.keyFolder,
        JSON.stringify(place.stack),
        String(delay * 1000),
        '100000',
      ]);
      // The writer says one line a snapshot: killed some bytes after the first, somewhere in the middle of the next.
      await new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()));
      await new Promise<void>((resolve) => setTimeout(resolve, delay));
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
      const listed = await place.store.list('demo');
      expect(listed.length).toBeGreaterThan(0);
      expect(listed.filter((entry) => 'damaged' in entry)).toEqual([]);
      expect((await place.store.verify('demo')).filter(({ ok }) => !ok)).toEqual([]);
      const { record } = await putIn(place, delay);
      expect(await readAll(place, record.id)).toBe(true);
    }
  });
});
