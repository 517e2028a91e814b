import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createBackupShelf } from '../../../src/adapters/fs/index.ts';
import type { BackupManifest, ProofRecord } from '../../../src/model/index.ts';
import type { Clock } from '../../../src/ports/index.ts';

it('knows which of two backups of one second is the latest', async () => {
  const root = await mkdtemp(join(tmpdir(), 'backstay-shelf-'));
  onTestFinished(async () => await rm(root, { recursive: true, force: true }));
  let now = Date.parse('2026-01-02T03:04:05.000Z');
  const shelf = createBackupShelf(join(root, 'shop'), { now: () => now } as Clock);
  const made: string[] = [];
  for (; made.length < 20; now += 10) {
    const { manifest } = await shelf.add(async (id) => ({
      manifest: {
        kind: 'BackupManifest',
        id,
        takenAt: new Date(now).toISOString(),
        file: { digest: 'sha256:0' },
      } as unknown as BackupManifest,
      proof: { level: 'read' } as unknown as ProofRecord,
    }));
    made.push(manifest.id);
  }
  expect((await shelf.find('latest')).manifest.id).toBe(made.at(-1));
  const listed = (await shelf.list()).map((one) => ('manifest' in one ? one.manifest.id : ''));
  expect(listed).toEqual(made.toReversed());
});
