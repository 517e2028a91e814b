import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { BackstayError } from '../../../errors/index.ts';
import { type Access, connected, LOCK_TIMEOUT_MS } from './connection.ts';

/** Between two looks, milliseconds. */
const AGAIN_MS = 100;
/** Milliseconds that an ended session may take to be gone. */
const GONE_MS = 60_000;

/**
 * Looks whether what works under our name waits for others, and ends it when that takes longer than any statement of ours may.
 * pg_restore begins with `SET lock_timeout = 0`, which no startup option outlives: somebody else has to look at the clock.
 */
export function watchLocks(
  access: Access,
  signal?: AbortSignal,
): {
  readonly signal: AbortSignal;
  readonly blocked: () => BackstayError | undefined;
  readonly stop: () => Promise<void>;
} {
  const over = new AbortController();
  const tooLong = new AbortController();
  let blocked: BackstayError | undefined;
  const watching = connected(access, async (client) => {
    let since: number | undefined;
    while (!over.signal.aborted) {
      const waiting = await blockersOf(client, access.application ?? '');
      since = waiting.length === 0 ? undefined : (since ?? performance.now());
      if (since !== undefined && performance.now() - since > LOCK_TIMEOUT_MS) {
        blocked = new BackstayError(
          'STORE_FAILED',
          `no lock was to be had within ${LOCK_TIMEOUT_MS} ms (lock_timeout), for ${waiting.join(', ')}`,
        );
        await endSessions(client, access.application ?? '');
        tooLong.abort(blocked);
        return;
      }
      await delay(AGAIN_MS, undefined, { signal: over.signal }).catch(() => undefined);
    }
  }).catch((error: unknown) => {
    // Unwatched it could keep everybody out for as long as it likes.
    if (!over.signal.aborted) tooLong.abort(error);
  });
  return {
    signal: AbortSignal.any([tooLong.signal, ...(signal === undefined ? [] : [signal])]),
    blocked: () => blocked,
    stop: async () => {
      over.abort();
      await watching;
    },
  };
}

/** Who holds up the sessions of that name, in words. */
async function blockersOf(client: Client, application: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ who: string }>(
    `SELECT DISTINCT format('session %s of %s (%s)', b.pid, coalesce(b.usename, 'nobody'), coalesce(nullif(b.application_name, ''), 'no name')) AS who
       FROM pg_stat_activity a, unnest(pg_blocking_pids(a.pid)) AS holder
       JOIN pg_stat_activity b ON b.pid = holder
      WHERE a.application_name = $1 AND a.datname = current_database() AND a.pid <> pg_backend_pid() ORDER BY 1`,
    [application],
  );
  return rows.map(({ who }) => who);
}

/** Ends every session of that name in the database but this one. */
export async function endSessions(client: Client, application: string): Promise<void> {
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid()`,
    [application],
  );
}

/** Resolves when no session of any run's act but this one is left in the database. @throws STORE_FAILED after a minute */
export async function untilAlone(client: Client, signal?: AbortSignal): Promise<void> {
  const began = performance.now();
  for (;;) {
    signal?.throwIfAborted();
    const { rows } = await client.query(
      `SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name ~ '^backstay:[0-9]+:'`,
    );
    if (rows.length === 0) return;
    if (performance.now() - began > GONE_MS)
      throw new BackstayError('STORE_FAILED', 'what an earlier attempt began is still at work in the database');
    await delay(AGAIN_MS);
  }
}
