import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { BackstayError } from '../../../errors/index.ts';
import type { Swapped, SwapState } from '../../../ports/index.ts';
import { type Access, connected, identifier } from './connection.ts';
import { assertFence, MAINTENANCE } from './fence.ts';
import { besideName, previousName, undoneName } from './names.ts';
import { dropWhole, markOf } from './restore.ts';

/** Between two looks at who is still within, milliseconds. */
const AGAIN_MS = 20;
/** A rename waits five seconds for sessions to go, then fails. */
const ATTEMPTS = 5;

/** Which database has which name: the truth about a swap, whatever a journal says. */
export async function swapState(access: Access, run: string): Promise<SwapState> {
  const { database } = access.connection;
  const names = await connected(access, async (client) => await existing(client, database, run), {
    database: MAINTENANCE,
  });
  const has = (name: string): boolean => names.has(name);
  if (has(previousName(database, run))) return 'swapped';
  if (has(undoneName(database, run))) return 'undone';
  return has(besideName(database, run)) ? 'before' : 'nothing';
}

/**
 * Makes the restored database the live one, in one transaction over one connection, a statement at a time: a client that
 * is killed before the COMMIT has changed nothing. The former one is kept, and nobody may connect to it.
 * @throws STORE_FENCED, STORE_FAILED after five attempts
 */
export async function swap(access: Access, run: string, epoch: number): Promise<Swapped> {
  const { database } = access.connection;
  const beside = besideName(database, run);
  const state = await swapState(access, run);
  if (state === 'swapped') return { kept: previousName(database, run), unavailableMs: 0 };
  requireState(state, 'before', `run ${run} has restored nothing beside ${database}`);
  const whole = await connected(access, async (client) => await markOf(client, beside), { database: MAINTENANCE });
  if (whole === undefined) throw refused(`${beside} was never restored to its end`);
  const previous = previousName(database, run);
  const unavailableMs = await exchange(access, epoch, [
    { from: database, to: previous, open: false },
    { from: beside, to: database, open: true },
  ]);
  return { kept: previous, unavailableMs };
}

/** The same backwards. What was swapped in is kept as well, until finalized. */
export async function undoSwap(access: Access, run: string, epoch: number): Promise<Swapped> {
  const { database } = access.connection;
  const undone = undoneName(database, run);
  const state = await swapState(access, run);
  if (state === 'undone') return { kept: undone, unavailableMs: 0 };
  requireState(state, 'swapped', `run ${run} has not exchanged ${database}, or finalized it`);
  const unavailableMs = await exchange(access, epoch, [
    { from: database, to: undone, open: false },
    { from: previousName(database, run), to: database, open: true },
  ]);
  return { kept: undone, unavailableMs };
}

/** Drops what was kept for undoing. Repeating it finishes a drop that was interrupted. */
export async function finalizeSwap(access: Access, run: string): Promise<readonly string[]> {
  const { database } = access.connection;
  return await connected(
    access,
    async (client) => {
      const kept = [besideName(database, run), previousName(database, run), undoneName(database, run)];
      const there = await existing(client, database, run);
      const removed = kept.filter((name) => there.has(name));
      for (const name of removed) await dropWhole(client, name);
      return removed;
    },
    { database: MAINTENANCE },
  );
}

interface Rename {
  readonly from: string;
  readonly to: string;
  /** Whether others may connect to it afterwards. */
  readonly open: boolean;
}

async function exchange(access: Access, epoch: number, renames: readonly Rename[]): Promise<number> {
  const { database } = access.connection;
  const at = { database: MAINTENANCE };
  return await connected(
    access,
    async (client) => await connected(access, async (helper) => await attempts(client, helper), at),
    at,
  );

  async function attempts(client: Client, helper: Client): Promise<number> {
    for (let attempt = 1; ; attempt += 1) {
      const began = performance.now();
      try {
        await client.query('BEGIN');
        await assertFence(client, database, epoch);
        for (const { from, to, open } of renames) {
          await rename(client, helper, from, to);
          await client.query(`ALTER DATABASE ${identifier(to)} ALLOW_CONNECTIONS ${open}`);
        }
        await client.query('COMMIT');
        return Math.round(performance.now() - began);
      } catch (error) {
        await client.query('ROLLBACK').catch(() => undefined);
        const { code, message } = error as { readonly code?: string; readonly message: string };
        // 55006: somebody is in it; 55P03: its lock was not to be had in time.
        if (attempt < ATTEMPTS && (code === '55006' || code === '55P03')) continue;
        if (error instanceof BackstayError) throw error;
        throw new BackstayError('STORE_FAILED', `the databases could not be exchanged: ${message}`, {
          cause: error,
          next: 'Nothing was exchanged. Look who holds sessions on it (pg_stat_activity), then try again.',
          details: { database, attempts: attempt, code: code ?? null },
        });
      }
    }
  }
}

/**
 * From the moment that a rename has its lock nobody can enter the database; it then waits five seconds for those who are
 * within. They are ended meanwhile, over another connection: ended before, they would be back before the lock is taken.
 */
async function rename(client: Client, helper: Client, from: string, to: string): Promise<void> {
  const done = new AbortController();
  const renamed = client.query(`ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)}`).finally(() => {
    done.abort();
  });
  // Awaited below; until then its failure must not count as one that nobody looks at.
  renamed.catch(() => undefined);
  while (!done.signal.aborted) {
    await endSessions(helper, from);
    await delay(AGAIN_MS, undefined, { signal: done.signal }).catch(() => undefined);
  }
  await renamed;
}

function requireState(found: SwapState, wanted: SwapState, why: string): void {
  if (found !== wanted) throw refused(why);
}

function refused(why: string): BackstayError {
  return new BackstayError('STORE_FAILED', why, { next: 'Nothing was exchanged.' });
}

async function endSessions(client: Client, database: string): Promise<void> {
  await client.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()',
    [database],
  );
}

async function existing(client: Client, database: string, run: string): Promise<ReadonlySet<string>> {
  const wanted = [database, besideName(database, run), previousName(database, run), undoneName(database, run)];
  const { rows } = await client.query<{ name: string }>(
    'SELECT datname AS name FROM pg_database WHERE datname = ANY($1)',
    [wanted],
  );
  return new Set(rows.map(({ name }) => name));
}
