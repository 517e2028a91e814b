import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { BackstayError } from '../../errors/index.ts';
import type { Backup, BackupManifest, ProofRecord } from '../../model/index.ts';
import type { BackupShelf, Clock, DamagedBackup } from '../../ports/index.ts';
import { ofFullVolume } from './volumes.ts';

const PROOF_FILE = 'proofs.json';
const MANIFEST_FILE = 'manifest.json';

const MAKE_ROOM =
  'Make room there: `backstay db list STACK` shows the backups, whose folders can be removed one by one. Or move BACKSTAY_STATE_DIR (the backups) or TMPDIR (what tools write meanwhile) to a larger volume. The live data is as it was.';

/** Backups as folders below `root`, `<id>/manifest.json` and the file beside it; readable by their owner alone. */
export function createBackupShelf(root: string, clock: Clock): BackupShelf {
  const list: BackupShelf['list'] = async () => {
    const names = await readdir(root).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    });
    const all = await Promise.all(names.map(async (name) => await readBackup(join(root, name))));
    return all.toSorted(newestFirst);
  };
  const newId = (): string => idAt(clock.now());
  return {
    list,
    find: async (id) => findIn(await list(), id),
    newId,
    add: async (fill) => {
      const id = newId();
      const folder = join(root, id);
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const { manifest, proof } = await fill(id, folder);
        await writeWhole(join(folder, PROOF_FILE), [proof]);
        await writeWhole(join(folder, MANIFEST_FILE), manifest);
        await flush(folder);
        return { manifest, folder, proofs: [proof] };
      } catch (error) {
        // Before the folder goes: how full a volume is says which one it was.
        const told = await ofFullVolume(error, [folder, tmpdir()], MAKE_ROOM);
        await rm(folder, { recursive: true, force: true });
        throw told;
      }
    },
    record: async (backup, proof) => {
      const proofs = [...(await proofsOf(backup.folder)), proof];
      await writeWhole(join(backup.folder, PROOF_FILE), proofs).catch(async (error: unknown) => {
        throw await ofFullVolume(error, [backup.folder], MAKE_ROOM);
      });
      return { ...backup, proofs };
    },
    measure: async (file, signal) => {
      await flush(file);
      return await measure(file, signal);
    },
    assertAsWritten,
    ofFullVolume,
  };
}

async function readBackup(folder: string): Promise<Backup | DamagedBackup> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, MANIFEST_FILE), 'utf8')) as BackupManifest;
    if (manifest.kind !== 'BackupManifest' || typeof manifest.file.digest !== 'string')
      return { folder, damaged: 'its manifest is none of a backup' };
    return { manifest, folder, proofs: await proofsOf(folder) };
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { folder, damaged: isAbsent ? 'it has no manifest: it was cut off' : 'its manifest cannot be read' };
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

function findIn(all: readonly (Backup | DamagedBackup)[], id: string): Backup {
  const whole = all.filter((one): one is Backup => 'manifest' in one);
  const found =
    id === 'latest'
      ? whole.find(({ manifest }) => manifest.tables === undefined)
      : whole.find(({ manifest }) => manifest.id === id);
  if (found !== undefined) return found;
  const broken = all.find((one): one is DamagedBackup => 'damaged' in one && basename(one.folder) === id);
  if (broken !== undefined)
    throw new BackstayError('BACKUP_DAMAGED', `backup ${id}: ${broken.damaged}`, {
      details: { folder: broken.folder },
    });
  throw new BackstayError('BACKUP_UNKNOWN', id === 'latest' ? 'there is no backup yet' : `there is no backup ${id}`);
}

async function assertAsWritten({ manifest, folder }: Backup, signal?: AbortSignal): Promise<void> {
  const file = join(folder, manifest.file.name);
  const damaged = (what: string, cause?: unknown): BackstayError =>
    new BackstayError('BACKUP_DAMAGED', `${file} ${what}`, {
      details: { backup: manifest.id, file },
      ...(cause === undefined ? {} : { cause }),
    });
  const { size } = await stat(file).catch((error: unknown) => {
    throw damaged('is not there', error);
  });
  if (size !== manifest.file.bytes)
    throw damaged(`has ${size} bytes; when it was written it had ${manifest.file.bytes}`);
  const { digest } = await measure(file, signal);
  if (digest !== manifest.file.digest) throw damaged('is not the file that was written: its digest differs');
}

async function measure(file: string, signal?: AbortSignal): ReturnType<BackupShelf['measure']> {
  const hash = createHash('sha256');
  let bytes = 0;
  const stream = createReadStream(file, { highWaterMark: 1 << 20, ...(signal === undefined ? {} : { signal }) });
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { digest: `sha256:${hash.digest('hex')}`, bytes };
}

/** An id knows the second alone; which of two of one second is the latest, their manifests say. */
function newestFirst(a: Backup | DamagedBackup, b: Backup | DamagedBackup): number {
  const second = ({ folder }: Backup | DamagedBackup) => basename(folder).slice(0, SECOND);
  const taken = (one: Backup | DamagedBackup) => ('manifest' in one ? one.manifest.takenAt : '');
  return second(b).localeCompare(second(a)) || taken(b).localeCompare(taken(a)) || b.folder.localeCompare(a.folder);
}

/** Length of `20260101-120000`. */
const SECOND = 15;

/** `20260101-120000-3f9a2c`: sorts by time. */
function idAt(now: number): string {
  const time = new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  return `${time}-${randomBytes(3).toString('hex')}`;
}

async function writeWhole(file: string, value: unknown): Promise<void> {
  await writeFile(`${file}.partial`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  await flush(`${file}.partial`);
  await rename(`${file}.partial`, file);
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
