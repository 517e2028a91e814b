import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../../../errors/index.ts';
import type { Backup, BackupManifest, ProofRecord } from '../../../model/index.ts';
import type { DamagedBackup } from '../../../ports/index.ts';
import { writeWhole } from './backup.ts';

const PROOF_FILE = 'proofs.json';

/** Newest first. A folder without a whole manifest is a backup that was cut off, and is said to be one. */
export async function listBackups(root: string): Promise<readonly (Backup | DamagedBackup)[]> {
  const names = await readdir(root).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  return await Promise.all(
    names.toSorted((a, b) => b.localeCompare(a)).map(async (name) => await readBackup(join(root, name))),
  );
}

async function readBackup(folder: string): Promise<Backup | DamagedBackup> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as BackupManifest;
    if (manifest.kind !== 'BackupManifest' || typeof manifest.file.digest !== 'string')
      return { folder, damaged: 'its manifest is none of a backup' };
    return { manifest, folder, proofs: await proofsOf(folder) };
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { folder, damaged: absent ? 'it has no manifest: it was cut off' : 'its manifest cannot be read' };
  }
}

/** A proof that cannot be read any more is no proof; the backup itself is judged by its manifest. */
async function proofsOf(folder: string): Promise<readonly ProofRecord[]> {
  try {
    return JSON.parse(await readFile(join(folder, PROOF_FILE), 'utf8')) as readonly ProofRecord[];
  } catch {
    return [];
  }
}

export async function recordProof(backup: Backup, record: ProofRecord): Promise<Backup> {
  const proofs = [...(await proofsOf(backup.folder)), record];
  await writeWhole(join(backup.folder, PROOF_FILE), proofs);
  return { ...backup, proofs };
}

/** `latest` is one of everything: single tables are no state to go back to. @throws BACKUP_UNKNOWN, and BACKUP_DAMAGED for one that is there and is none. */
export async function findBackup(root: string, id: string): Promise<Backup> {
  const all = await listBackups(root);
  const whole = all.filter((one): one is Backup => 'manifest' in one);
  const found =
    id === 'latest'
      ? whole.find(({ manifest }) => manifest.tables === undefined)
      : whole.find(({ manifest }) => manifest.id === id);
  if (found !== undefined) return found;
  const broken = all.find((one): one is DamagedBackup => 'damaged' in one && one.folder.endsWith(`/${id}`));
  if (broken !== undefined)
    throw new BackstayError('BACKUP_DAMAGED', `backup ${id}: ${broken.damaged}`, {
      details: { folder: broken.folder },
    });
  throw new BackstayError('BACKUP_UNKNOWN', id === 'latest' ? 'there is no backup yet' : `there is no backup ${id}`);
}
