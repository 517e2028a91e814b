import type { Client } from 'pg';
import type { Merged, MergeReport } from '../../../model/index.ts';
import { type Access, connected } from '../store/connection.ts';
import { pinSession } from '../store/contents.ts';
import { compare, type CompareOptions } from './compare.ts';
import { keepNewRows, type KeepRequest } from './keep.ts';

const READING = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';

/** What live data has that what stands beside it has not. Changes nothing. */
export async function reportNewRows(access: Access, beside: string, options: CompareOptions): Promise<MergeReport> {
  return await both(
    access,
    beside,
    READING,
    async (live, backup) => await compare(live, backup, options),
    options.signal,
  );
}

/** @throws PLAN_STALE, STORE_REFUSED, STORE_FAILED; what stands beside is then as it was */
export async function takeNewRows(access: Access, beside: string, request: KeepRequest): Promise<Merged> {
  const work = async (live: Client, other: Client): Promise<Merged> => await keepNewRows(live, other, request);
  return await both(access, beside, 'BEGIN', work, request.signal);
}

/** One transaction on each of two databases; that on the second one is committed when the work ends. */
async function both<T>(
  access: Access,
  beside: string,
  begin: string,
  work: (live: Client, beside: Client) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return await connected(access, async (live) => {
    await pinSession(live);
    await live.query(READING);
    return await connected(
      access,
      async (other) => {
        await pinSession(other);
        await other.query(begin);
        const done = await work(live, other);
        await other.query('COMMIT');
        return done;
      },
      { database: beside },
    );
  }).catch((error: unknown) => {
    // Whatever it broke, who asked for the end is told of that.
    signal?.throwIfAborted();
    throw error;
  });
}
