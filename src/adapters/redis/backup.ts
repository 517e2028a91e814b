import { chmod, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../../errors/index.ts';
import type { Backup, BackupManifest, ProofRecord } from '../../model/index.ts';
import type { BackupShelf } from '../../ports/index.ts';
import { type Access, argumentsOf, connected } from './connection.ts';
import { kindObstacles } from './preflight.ts';
import { withScratch } from './scratch.ts';
import { countKeys, type ServerFacts, serverFacts } from './server.ts';
import { type RedisTools, runTool } from './tools.ts';

const FILE = 'database.rdb';

export interface BackupRequest {
  readonly stack: string;
  readonly store: string;
  readonly shelf: BackupShelf;
  readonly tools: RedisTools;
  /** ISO 8601. */
  readonly now: () => string;
  /** Common to backups that were taken together. */
  readonly marker?: string;
  readonly signal?: AbortSignal;
}

/**
 * Takes an RDB file as a replica would, in which the server's whole data is as it was at one moment, has it read to its
 * end, and counts its keys in a server of its own: the counts are those of the file and of no other moment.
 * @throws STORE_FAILED with what a tool said, TOOL_MISSING when those of this machine are older than the server
 */
export async function takeBackup(request: BackupRequest, access: Access): Promise<Backup> {
  const { shelf, stack, store, tools, now, marker, signal } = request;
  const { database } = access.connection;
  const given = signal === undefined ? {} : { signal };
  const facts = await connected(access, database, serverFacts, signal);
  assertPossible(facts, tools);
  return await shelf.add(async (id, folder) => {
    const began = performance.now();
    const takenAt = now();
    const file = join(folder, FILE);
    await runTool([tools.cli, ...argumentsOf(access.connection), '--rdb', `${file}.partial`], {
      env: access.password === undefined ? {} : { REDISCLI_AUTH: access.password },
      ...given,
    });
    await chmod(`${file}.partial`, 0o600);
    const read = await proveReadable(tools, `${file}.partial`, signal);
    const measured = await shelf.measure(`${file}.partial`, signal);
    await rename(`${file}.partial`, file);
    const seen = await withScratch(
      tools,
      file,
      async (scratch) => await scratch(database, contained(database)),
      signal,
    );
    const manifest: BackupManifest = {
      apiVersion: 'backstay.dev/v1',
      kind: 'BackupManifest',
      id,
      stack,
      store,
      engine: 'redis',
      takenAt,
      durationMs: Math.round(performance.now() - began),
      database: String(database),
      server: { version: facts.version, systemIdentifier: facts.id },
      tool: `redis-cli ${tools.version}`,
      file: { name: FILE, ...measured },
      rows: { [`db${database}`]: seen.keys },
      memoryBytes: seen.memoryBytes,
      ...(marker === undefined ? {} : { marker }),
    };
    return { manifest, proof: { proof: 'read', at: now(), durationMs: 0, message: `${read} when it was taken` } };
  });
}

/** Reads a backup to its end again. @throws BACKUP_DAMAGED naming the file */
export async function proveRead(
  backup: Backup,
  { shelf, tools, now, signal }: Pick<BackupRequest, 'shelf' | 'tools' | 'now' | 'signal'>,
): Promise<ProofRecord> {
  const began = performance.now();
  await shelf.assertAsWritten(backup, signal);
  const file = join(backup.folder, backup.manifest.file.name);
  const read = await proveReadable(tools, file, signal).catch((error: unknown) => {
    signal?.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw new BackstayError('BACKUP_DAMAGED', `${file} cannot be read to its end: ${why}`, {
      cause: error,
      details: { backup: backup.manifest.id, file },
    });
  });
  return {
    proof: 'read',
    at: now(),
    durationMs: Math.round(performance.now() - began),
    message: `${read}, digest as written`,
  };
}

/** In words, what was read. */
async function proveReadable(tools: RedisTools, file: string, signal?: AbortSignal): Promise<string> {
  const said = await runTool([tools.checkRdb, file], signal === undefined ? {} : { signal });
  const keys = /\[info\] (\d+) keys read/.exec(said)?.[1];
  // Its exit code alone would be a promise of the tool; that it came to the end is what counts.
  if (keys === undefined || !said.includes('RDB looks OK'))
    throw new BackstayError('STORE_FAILED', `redis-check-rdb: ${said.trim().split('\n').at(-1) ?? 'said nothing'}`);
  return `${keys} keys of all databases read`;
}

const contained =
  (database: number) =>
  async (link: Parameters<typeof serverFacts>[0]): Promise<{ readonly keys: number; readonly memoryBytes: number }> => {
    const [{ dataBytes }, { keys }] = [await serverFacts(link), await countKeys(link, database)];
    return { keys, memoryBytes: dataBytes };
  };

function assertPossible(facts: ServerFacts, tools: RedisTools): void {
  const stopped = kindObstacles({ ...facts, isReplica: false });
  if (stopped.length > 0) throw new BackstayError('STORE_REFUSED', stopped.join('; '));
  if (compare(tools.version, facts.version) >= 0) return;
  throw new BackstayError(
    'TOOL_MISSING',
    `A Redis server of version ${facts.version} needs tools at least as new; here are ${tools.version}.`,
    {
      next: `Install Redis ${facts.version} beside, or name the folder of its programs with BACKSTAY_REDIS_BIN.`,
      details: { server: facts.version, found: tools.version },
    },
  );
}

/** By major and minor version: within one minor the files are the same. */
function compare(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.split('.').map(Number)) as [number[], number[]];
  return (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0);
}
