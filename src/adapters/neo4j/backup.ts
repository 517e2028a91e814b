import { chmod, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BackstayError } from '../../errors/index.ts';
import type { BackupManifest, ProofRecord } from '../../model/index.ts';
import type { BackupShelf } from '../../ports/index.ts';
import { type AdminOptions, faultOfDump } from './admin.ts';
import { connected } from './bolt.ts';
import { countsOf, serverFacts } from './contents.ts';
import { type Server, serving, stopped } from './server.ts';

const FILE = 'graph.dump';
/** A JVM lets go of its files a moment after it stopped answering. */
const AGAIN_MS = 200;

export interface BackupRequest {
  readonly stack: string;
  readonly store: string;
  readonly id: string;
  readonly folder: string;
  readonly admin: AdminOptions;
  readonly shelf: BackupShelf;
  /** ISO 8601. */
  readonly now: () => string;
  readonly marker?: string;
}

/**
 * Counts what the server has, stops it, dumps, and starts it again whatever came of that; then has the dump checked and its
 * digest taken. Whoever writes between the count and the stop makes the two disagree, which a restore will find.
 * @throws STORE_FAILED, BACKUP_DAMAGED when the graph itself is not consistent, TIMEOUT
 */
export async function takeBackup(
  request: BackupRequest,
  server: Server,
): Promise<{ readonly manifest: BackupManifest; readonly proof: ProofRecord }> {
  const { stack, store, id, folder, admin, shelf, now, marker } = request;
  const { signal } = admin;
  const began = performance.now();
  const { live } = await server.place.look();
  // One that was killed recovers as it starts; nobody can dump it before.
  await serving(server, live, signal);
  const { facts, rows } = await connected(
    await server.access(),
    async (ask) => ({ facts: await serverFacts(ask), rows: await countsOf(ask) }),
    signal,
  );
  const takenAt = now();
  try {
    await dumpStopped(request, server, live);
  } finally {
    // Not with the signal: a server that was stopped for a backup is started again, whoever gave up.
    await serving(server, live);
  }
  const file = join(folder, FILE);
  await chmod(join(folder, `${live}.dump`), 0o600);
  await rename(join(folder, `${live}.dump`), file);
  const fault = await faultOfDump(admin, file);
  if (fault !== undefined)
    throw new BackstayError('BACKUP_DAMAGED', `${file} was dumped, and is not consistent: ${fault}`, {
      next: 'The live graph itself may be damaged. Look at its log before anything else.',
    });
  const measured = await shelf.measure(file, signal);
  const proof: ProofRecord = {
    proof: 'read',
    at: now(),
    durationMs: Math.round(performance.now() - began),
    message: `${measured.bytes} bytes, found consistent when it was taken`,
  };
  const manifest: BackupManifest = {
    apiVersion: 'backstay.dev/v1',
    kind: 'BackupManifest',
    id,
    stack,
    store,
    engine: 'neo4j',
    takenAt,
    durationMs: Math.round(performance.now() - began),
    database: live,
    server: { version: facts.version, systemIdentifier: facts.systemIdentifier },
    tool: `neo4j-admin ${admin.tools.version ?? ''}`.trimEnd(),
    file: { name: FILE, ...measured },
    rows,
    ...(marker === undefined ? {} : { marker }),
  };
  return { manifest, proof };
}

async function dumpStopped({ admin, folder }: BackupRequest, server: Server, live: string): Promise<void> {
  const { signal, limitMs } = admin;
  const until = performance.now() + limitMs;
  let isRecovered = false;
  await stopped(server, signal);
  for (;;) {
    const outcome = await server.place.withFiles(async (files) => await files.dump(admin, live, folder), signal);
    if (outcome === 'done') return;
    if (outcome === 'unrecovered') {
      if (isRecovered) throw new BackstayError('STORE_FAILED', `${live} is not recovered by a start and a stop`);
      // It was killed on its way down: only a start and a clean stop make it whole.
      isRecovered = true;
      await serving(server, live, signal);
      await stopped(server, signal);
      continue;
    }
    if (performance.now() > until) throw new BackstayError('TIMEOUT', `${live} was still in use after ${limitMs} ms`);
    await delay(AGAIN_MS, undefined, signal === undefined ? {} : { signal });
  }
}
