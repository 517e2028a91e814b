import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { BackstayError } from '../../../errors/index.ts';
import type { Backup, BackupManifest, Digest, ProofRecord } from '../../../model/index.ts';
import { type Access, connected, toolEnvironment } from './connection.ts';
import { countRows, databaseState, serverFacts } from './inspect.ts';
import { type ClientTools, runTool } from './tools.ts';

const DUMP = 'database.dump';

export interface BackupRequest {
  readonly id: string;
  readonly stack: string;
  readonly store: string;
  /** Absolute path; made, and removed again when the backup fails. */
  readonly folder: string;
  /** ISO 8601. */
  readonly now: () => string;
  /** Common to backups that were taken together. */
  readonly marker?: string;
  readonly signal?: AbortSignal;
}

/**
 * Dumps the database in one snapshot, in which its rows are counted as well, so that counts and dump cannot disagree. The
 * file has its name only once it is whole and flushed, and the manifest comes last: what has none is no backup.
 * @throws STORE_FAILED with what the tool said (a full disk among it).
 */
export async function takeBackup(
  { id, stack, store, folder, now, marker, signal }: BackupRequest,
  access: Access,
  toolsFor: (major: number) => Promise<ClientTools>,
): Promise<BackupManifest> {
  const began = performance.now();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const partial = join(folder, `${DUMP}.partial`);
    const { takenAt, facts, lsn, rows, state, tools } = await connected(access, async (client) => {
      const server = await serverFacts(client);
      const chosen = await toolsFor(server.major);
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const { rows: shared } = await client.query<{ snapshot: string; lsn: string }>(
        'SELECT pg_export_snapshot() AS snapshot, pg_current_wal_lsn()::text AS lsn',
      );
      const time = now();
      const args = ['-Fc', '--no-password', '--snapshot', shared[0]?.snapshot ?? '', '-f', partial];
      // Both at once, in the same snapshot: it lives as long as this transaction.
      const dumped = runTool(join(chosen.bin, 'pg_dump'), [...args, access.connection.database], {
        env: toolEnvironment(access),
        ...(signal === undefined ? {} : { signal }),
      });
      const [counted] = await Promise.all([countRows(client), dumped]);
      return {
        takenAt: time,
        facts: server,
        lsn: shared[0]?.lsn ?? '',
        rows: counted,
        state: await databaseState(client, access.connection.database),
        tools: chosen,
      };
    });
    const { digest, bytes } = await readThrough(partial, tools, access, signal);
    await flush(partial);
    await rename(partial, join(folder, DUMP));
    const manifest: BackupManifest = {
      apiVersion: 'backstay.dev/v1',
      kind: 'BackupManifest',
      id,
      stack,
      store,
      engine: 'postgres',
      takenAt,
      durationMs: Math.round(performance.now() - began),
      database: access.connection.database,
      server: { version: facts.version, systemIdentifier: facts.systemIdentifier, lsn },
      tool: `pg_dump ${tools.version}`,
      file: { name: DUMP, bytes, digest },
      rows,
      state,
      ...(marker === undefined ? {} : { marker }),
    };
    await writeWhole(join(folder, 'manifest.json'), manifest);
    await flush(folder);
    return manifest;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Reads the file once: its digest is taken while pg_restore reads and unpacks every byte of it on the way to nowhere.
 * The digest finds what pg_restore does not (a flipped bit in an unpacked archive), pg_restore what was never whole.
 */
export async function readThrough(
  file: string,
  tools: ClientTools,
  access: Access,
  signal?: AbortSignal,
): Promise<{ readonly digest: Digest; readonly bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  await runTool(join(tools.bin, 'pg_restore'), ['-f', '/dev/null', '-Fc'], {
    env: toolEnvironment(access),
    input: counted(),
    ...(signal === undefined ? {} : { signal }),
  });
  return { digest: `sha256:${hash.digest('hex')}`, bytes };
}

/**
 * Reads every byte of a backup again and compares it with its manifest.
 * @throws BACKUP_DAMAGED naming the file and what is wrong with it.
 */
export async function proveRead(
  { manifest, folder }: Backup,
  tools: ClientTools,
  access: Access,
  now: () => string,
): Promise<ProofRecord> {
  const began = performance.now();
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
  const { digest } = await readThrough(file, tools, access).catch((error: unknown) => {
    throw damaged(`cannot be read to its end: ${error instanceof Error ? error.message : String(error)}`, error);
  });
  if (digest !== manifest.file.digest) throw damaged('is not the file that was written: its digest differs');
  return {
    proof: 'read',
    at: now(),
    durationMs: Math.round(performance.now() - began),
    message: `${size} bytes read, digest as written`,
  };
}

export async function writeWhole(file: string, value: unknown): Promise<void> {
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
