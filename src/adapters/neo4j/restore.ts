import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackstayError } from '../../errors/index.ts';
import type { Backup, BackupManifest, ProofRecord } from '../../model/index.ts';
import type { BackupShelf } from '../../ports/index.ts';
import { type AdminOptions, faultOf, faultOfDump, load } from './admin.ts';
import { countsOf } from './contents.ts';
import type { Files } from './files.ts';
import type { Place } from './place.ts';
import { begun, besideName, recordOf, restored, type RunRecord, standing } from './record.ts';
import { withScratch } from './scratch.ts';

type Counts = BackupManifest['rows'];

/** Name under which a scratch server serves what is tried. */
const TRIAL = 'trial';

export interface RestoreRequest {
  readonly backup: Backup;
  readonly run: string;
  readonly admin: AdminOptions;
  readonly place: Place;
  readonly shelf: Pick<BackupShelf, 'ofFullVolume'>;
}

const MAKE_ROOM =
  'Make room there: a restore needs as much again as the graph has, beside it and (for a moment) in TMPDIR. `backstay history STACK` names runs whose former graph `backstay db finalize RUN` would remove. The live graph is as it was.';

/**
 * Proves a backup by loading it on a server of its own, away from the live one: consistent, served, and the counts are those
 * of the moment it was taken. @throws BACKUP_DAMAGED, STORE_FAILED, TIMEOUT
 */
export async function tryOut(backup: Backup, admin: AdminOptions): Promise<Counts> {
  const file = fileOf(backup);
  const counts = await withScratch(
    admin,
    TRIAL,
    async (grounds) => {
      await load(admin, grounds, file, TRIAL);
      requireSound(await faultOf(admin, grounds, TRIAL), file);
    },
    countsOf,
  );
  assertCounts(backup.manifest, counts, file);
  return counts;
}

/**
 * Loads a backup under a name of its own beside the live database, which goes on being served. It is recorded as whole only
 * once it was checked, served by a server of its own and counted; what is not, goes again. A load never goes over anything,
 * so that one that fails leaves the old graph where it is.
 * @throws BACKUP_DAMAGED, STORE_FAILED, VOLUME_FULL, STORE_FENCED when another run began meanwhile, TIMEOUT
 */
export async function restoreBeside({
  backup,
  run,
  admin,
  place,
  shelf,
}: RestoreRequest): Promise<RunRecord & { readonly rows: Counts }> {
  return await place.withFiles(
    async (files) => await loadedBeside(files, { backup, run, admin, place, shelf }),
    admin.signal,
  );
}

async function loadedBeside(
  files: Files,
  { backup, run, admin, place, shelf }: RestoreRequest,
): Promise<RunRecord & { readonly rows: Counts }> {
  const { manifest } = backup;
  const tag = `${manifest.id} ${manifest.file.digest}`;
  const seen = await place.look();
  const known = recordOf(seen, run);
  if (known?.backup === tag && (await files.has(known.beside))) return { ...known, rows: manifest.rows };
  if (standing(seen, run) === 'swapped')
    throw new BackstayError('STORE_FAILED', `run ${run} has exchanged the graph already, for another backup`);
  const beside = besideName(seen, run);
  await place.point(begun(seen, run), seen);
  try {
    await files.remove(beside);
    await files.load(admin, fileOf(backup), beside);
    requireSound(await files.fault(admin, beside), fileOf(backup));
    const rows = await files.ask(admin, beside, countsOf);
    assertCounts(manifest, rows, beside);
    const record: RunRecord = { beside, backup: tag };
    const now = await place.look();
    await place.point(restored(now, run, record), now);
    return { ...record, rows };
  } catch (error) {
    // Before it goes: how full a volume is says which one it was.
    const told = await shelf.ofFullVolume(error, [...files.folders, tmpdir()], MAKE_ROOM);
    await files.remove(beside);
    throw told;
  }
}

/** Reads a backup's contents as Neo4j does, unless the very same bytes were found consistent before. @throws BACKUP_DAMAGED */
export async function requireReadable(backup: Backup, admin: AdminOptions): Promise<void> {
  if (backup.proofs.some(({ proof }) => proof === 'read')) return;
  requireSound(await faultOfDump(admin, fileOf(backup)), fileOf(backup));
}

export function proofOf(counts: Counts, where: string, at: string, began: number): ProofRecord {
  const kinds = Object.keys(counts).filter((name) => !name.startsWith('()')).length;
  const { '()': nodes = 0, '()-->()': relationships = 0 } = counts;
  const message = `${nodes} nodes and ${relationships} relationships of ${kinds} kinds ${where}, as when it was taken`;
  return { proof: 'restored', at, durationMs: Math.round(performance.now() - began), message };
}

export function fileOf({ folder, manifest }: Backup): string {
  return join(folder, manifest.file.name);
}

function requireSound(fault: string | undefined, file: string): void {
  if (fault !== undefined) throw new BackstayError('BACKUP_DAMAGED', `${file} is not consistent: ${fault}`);
}

function assertCounts(manifest: BackupManifest, counts: Counts, where: string): void {
  const names = [...new Set([...Object.keys(manifest.rows), ...Object.keys(counts)])].sort();
  const wrong = names.filter((name) => (manifest.rows[name] ?? 0) !== (counts[name] ?? 0));
  if (wrong.length === 0) return;
  const said = wrong.map((name) => `${name}: ${manifest.rows[name] ?? 0} then, ${counts[name] ?? 0} now`);
  throw new BackstayError('BACKUP_DAMAGED', `backup ${manifest.id}, loaded as ${where}: ${said.join('; ')}`, {
    next: 'If something wrote to the graph while the backup was taken, take another with its writers stopped.',
    details: { backup: manifest.id, parts: wrong },
  });
}
