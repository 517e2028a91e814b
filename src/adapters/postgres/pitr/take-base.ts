import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../../../errors/index.ts';
import { type Access, connected, toolEnvironment } from '../store/connection.ts';
import { serverFacts } from '../store/inspect.ts';
import { type BaseFacts, readBase, UNFINISHED } from './base.ts';
import { findServerPrograms, succeed } from './programs.ts';
import { requireSpace } from './scratch.ts';

export interface TakeBaseRequest {
  readonly access: Access;
  /** Folder of the base backups. */
  readonly folder: string;
  readonly name: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

/**
 * Copies the whole server while it runs, with the part of the log that makes it whole, and compares every file with the list
 * of digests that the server made of them. It has its name only then.
 * @throws STORE_REFUSED naming the right or the room that is missing, RECOVERY_FAILED with what pg_basebackup said
 */
export async function takeBase({ access, folder, name, env, signal }: TakeBaseRequest): Promise<BaseFacts> {
  const { major, bytes, obstacles } = await connected(access, async (client) => {
    const { rows } = await client.query<{ bytes: string; may: boolean; senders: number; spaces: string[] }>(
      `SELECT (SELECT sum(pg_database_size(oid))::text FROM pg_database WHERE datallowconn) AS bytes,
              (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user) AS may,
              current_setting('max_wal_senders')::int AS senders,
              ARRAY(SELECT spcname FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global'))::text[] AS spaces`,
    );
    const [row] = rows;
    return {
      major: (await serverFacts(client)).major,
      bytes: Number(row?.bytes ?? 0),
      obstacles: [
        ...(row?.may === true ? [] : ['the user may not copy the server (REPLICATION)']),
        ...((row?.senders ?? 0) >= 2 ? [] : ['max_wal_senders is below 2']),
        ...(row?.spaces ?? []).map((space) => `tablespace ${space} lies outside of what is copied`),
      ],
    };
  });
  if (obstacles.length > 0)
    throw new BackstayError('STORE_REFUSED', `no base backup can be taken: ${obstacles.join('; ')}.`, {
      details: { obstacles },
    });
  const bin = await findServerPrograms(major, env);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await requireSpace(folder, bytes * 1.1, 'a base backup');
  const partial = join(folder, `${name}${UNFINISHED}`);
  const given = signal === undefined ? {} : { signal };
  try {
    await succeed(
      join(bin, 'pg_basebackup'),
      [
        '--pgdata',
        partial,
        '--format=plain',
        '--wal-method=stream',
        '--checkpoint=fast',
        '--no-password',
        '--label',
        `backstay ${name}`,
        '--manifest-checksums=SHA256',
      ],
      { ...given, env: toolEnvironment(access) },
    );
    await succeed(join(bin, 'pg_verifybackup'), [partial], given);
    await rename(partial, join(folder, name));
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
  const facts = await readBase(join(folder, name), async () => await Promise.resolve(bin), signal);
  if ('problem' in facts) throw new BackstayError('RECOVERY_FAILED', `base backup ${name}: ${facts.problem}`);
  return facts;
}
