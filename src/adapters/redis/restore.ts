import { join } from 'node:path';
import { BackstayError } from '../../errors/index.ts';
import type { Backup, BackupManifest, ProofRecord } from '../../model/index.ts';
import { type Access, connected, type Link } from './connection.ts';
import { type Contents, contentsOf } from './contents.ts';
import { copyKeys } from './copy.ts';
import { clear, held, type Mark, marking, newHand, transact } from './mark.ts';
import { saved } from './save.ts';
import { countKeys, type KeyCount, scan } from './server.ts';
import { type Scratch, withScratch } from './scratch.ts';
import type { RedisTools } from './tools.ts';

export interface RestoreRequest {
  readonly backup: Backup;
  readonly run: string;
  readonly tools: RedisTools;
  /** ISO 8601. */
  readonly now: () => string;
  readonly signal?: AbortSignal;
}

export interface Restored {
  readonly keys: number;
  readonly proof: ProofRecord;
}

/**
 * Restores a backup into the spare database of the live server, whose own data is not touched, and proves it: the keys
 * are those of the file, and a sample of the values as well. Only then it is marked as whole; what is not, starts anew.
 * @throws STORE_REFUSED when something else stands there, STORE_FENCED, STORE_FAILED, BACKUP_DAMAGED
 */
export async function restoreBeside(request: RestoreRequest, access: Access): Promise<Restored> {
  const { backup, run, tools, now, signal } = request;
  const began = performance.now();
  const { spare } = access.connection;
  const proof = (message: string): ProofRecord => ({
    proof: 'restored',
    at: now(),
    durationMs: Math.round(performance.now() - began),
    message,
  });
  const hand = newHand(run);
  const mark = { run, state: 'restoring', backup: tagOf(backup.manifest) } as const;
  const isWhole = await connected(access, spare, async (link) => await begin(link, mark, hand), signal);
  try {
    return await withScratch(
      tools,
      join(backup.folder, backup.manifest.file.name),
      async (scratch) => {
        const then = await provenKeys(scratch, backup.manifest);
        return await scratch(
          databaseOf(backup.manifest),
          async (from) =>
            await connected(
              access,
              spare,
              async (to) => {
                if (!isWhole) await copyKeys(from, to, hand, () => signal?.throwIfAborted());
                const keys = await assertEqual(from, to, then, access, backup.manifest);
                const how = isWhole ? 'was restored before' : 'as in the file';
                if (!isWhole) {
                  await transact(to, (found) => [marking({ ...held(found, hand), state: 'before' }, hand)]);
                  await saved(to);
                }
                return { keys, proof: proof(`${told(keys, then.keys)} in database ${spare}, ${how}`) };
              },
              signal,
            ),
        );
      },
      signal,
    );
  } catch (error) {
    // What cannot be cleared now is begun anew by the next attempt, and told by its mark until then.
    await discard(access, hand).catch(() => undefined);
    throw error;
  }
}

/** Proves a backup in a server of its own; the live one is not even asked. */
export async function proveRestored({ backup, tools, now, signal }: Omit<RestoreRequest, 'run'>): Promise<ProofRecord> {
  const began = performance.now();
  const file = join(backup.folder, backup.manifest.file.name);
  return await withScratch(
    tools,
    file,
    async (scratch) => {
      const { keys } = await provenKeys(scratch, backup.manifest);
      await scratch(databaseOf(backup.manifest), contentsOf);
      return {
        proof: 'restored',
        at: now(),
        durationMs: Math.round(performance.now() - began),
        message: `${keys} keys in a server of its own, as when it was taken`,
      };
    },
    signal,
  );
}

/** Index of the logical database that a backup is of. */
export function databaseOf({ database }: BackupManifest): number {
  return Number(database);
}

/** Counts in a scratch server, compared with those of the moment when it was taken. */
async function provenKeys(scratch: Scratch, manifest: BackupManifest): Promise<KeyCount> {
  const database = databaseOf(manifest);
  const count = await scratch(database, async (link) => await countKeys(link, database));
  const then = manifest.rows[`db${database}`];
  if (then === count.keys) return count;
  throw new BackstayError(
    'BACKUP_DAMAGED',
    `backup ${manifest.id}: it had ${then ?? 'no'} keys when it was taken, and has ${count.keys} in a server of its own`,
    { details: { backup: manifest.id } },
  );
}

/** Takes the spare database for this hand. Gives whether an earlier attempt left there what is wanted, whole. */
async function begin(link: Link, wanted: Omit<Mark, 'hand'>, hand: string): Promise<boolean> {
  let isWhole = false;
  await transact(link, async (mark) => {
    await assertFree(link, mark, wanted.run);
    isWhole = mark?.run === wanted.run && mark.state === 'before' && mark.backup === wanted.backup;
    if (isWhole) return [marking({ ...wanted, state: 'before' }, hand)];
    return [['FLUSHDB', 'ASYNC'], marking(wanted, hand)];
  });
  return isWhole;
}

async function assertFree(link: Link, mark: Mark | undefined, run: string): Promise<void> {
  if (mark === undefined) {
    if ((await link.send('DBSIZE')) === 0) return;
    throw refused(
      'there are keys in it that Backstay did not put there',
      'Name another with `spare` in the stack file.',
    );
  }
  if (mark.state === 'restoring' || mark.state === 'before') return;
  throw refused(
    `it holds what run ${mark.run} set aside`,
    mark.run === run ? 'This run has exchanged its data already.' : `Finalize it: backstay db finalize ${mark.run}.`,
  );
}

function refused(why: string, next: string): BackstayError {
  return new BackstayError('STORE_REFUSED', `the spare database: ${why}`, { next });
}

/** What expires goes meanwhile, in both; everything else is equal, or the copy is none. */
async function assertEqual(
  from: Link,
  to: Link,
  then: KeyCount,
  { connection: { spare } }: Access,
  manifest: BackupManifest,
): Promise<number> {
  const now = await countKeys(to, spare);
  const staying = { was: then.keys - then.expiring, is: now.keys - now.expiring - 1 };
  const expiring = { least: now.expiring < then.expiring ? await alive(from) : 0, now: now.expiring };
  const [was, is]: readonly Contents[] = await Promise.all([contentsOf(from), contentsOf(to)]);
  const isEqual =
    staying.was === staying.is &&
    expiring.now >= expiring.least &&
    expiring.now <= then.expiring &&
    was?.digest === is?.digest;
  if (isEqual) return now.keys - 1;
  const what =
    staying.was === staying.is && was?.digest !== is?.digest
      ? 'values differ'
      : `${then.keys} keys in the file (${then.expiring} of them expire), ${now.keys - 1} in database ${spare} (${now.expiring})`;
  throw new BackstayError('STORE_FAILED', `backup ${manifest.id} was not copied whole: ${what}`, {
    details: { backup: manifest.id },
  });
}

/** Keys with a time to live that have not expired yet. */
async function alive(link: Link): Promise<number> {
  let count = 0;
  for await (const keys of scan(link)) {
    const lives = await link.pipeline(keys.map((key) => ['PTTL', key]));
    count += lives.filter((life) => typeof life === 'number' && life > 0).length;
  }
  return count;
}

/** Clears what this hand began; what another has taken over is left alone. */
async function discard(access: Access, hand: string): Promise<void> {
  await connected(access, access.connection.spare, async (link) => await clear(link, hand));
}

function told(keys: number, then: number): string {
  return keys === then ? `${keys} keys` : `${keys} keys, ${then - keys} of ${then} have expired since,`;
}

function tagOf({ id, file }: BackupManifest): string {
  return `${id} ${file.digest}`;
}
