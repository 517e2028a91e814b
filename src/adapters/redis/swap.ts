import { BackstayError } from '../../errors/index.ts';
import type { Swapped, SwapState } from '../../ports/index.ts';
import { type Access, type Argument, connected, type Link, textOf } from './connection.ts';
import { clear, held, isFull, MARK, type Mark, marking, newHand, ours, readMark, transact } from './mark.ts';
import { saved } from './save.ts';

/** Where a run's exchange stands, by the mark on the server, whatever a journal says. */
export async function swapState(access: Access, run: string): Promise<SwapState> {
  const mark = await connected(access, access.connection.spare, readMark);
  // What was not restored to its end is none: it starts anew.
  return mark?.run !== run || mark.state === 'restoring' ? 'nothing' : mark.state;
}

/**
 * Makes the restored database the live one by SWAPDB, in one transaction that the server carries out whole or not at all
 * and that its replicas and its append-only file take over. Clients stay connected. The former data is kept as the spare.
 * @throws STORE_FENCED, STORE_FAILED
 */
export async function swap(access: Access, run: string): Promise<Swapped> {
  return await exchange(access, run, 'before', 'swapped', `run ${run} has restored nothing beside the live data`);
}

/** The same again. What was exchanged in is kept as well, until finalized. */
export async function undoSwap(access: Access, run: string): Promise<Swapped> {
  return await exchange(access, run, 'swapped', 'undone', `run ${run} has not exchanged the data, or finalized it`);
}

/** Empties the spare database, when what stands there is of this run. Gives its name, or nothing. */
export async function finalizeSwap(access: Access, run: string): Promise<readonly string[]> {
  const { spare } = access.connection;
  return await connected(access, spare, async (link) => {
    const mark = await readMark(link);
    if (mark?.run !== run) return [];
    await clear(link, mark.hand);
    await saved(link);
    return [nameOf(spare)];
  });
}

/** As people read it: `db15`. */
export function nameOf(database: number): string {
  return `db${database}`;
}

async function exchange(
  access: Access,
  run: string,
  from: Mark['state'],
  to: Mark['state'],
  otherwise: string,
): Promise<Swapped> {
  const { database, spare } = access.connection;
  return await connected(access, spare, async (link) => {
    const began = performance.now();
    const state = await exchangeOnce(link).catch(async (error: unknown) => {
      if (!isFull(error)) throw error;
      const given = [run, from, to, newHand(run), String(database), String(spare)];
      return textOf(await link.send('EVAL', EXCHANGE, '1', MARK, ...given));
    });
    if (state === 'fenced') ours(await readMark(link), run);
    if (state !== from && state !== to)
      throw new BackstayError('STORE_FAILED', otherwise, { next: 'Nothing was exchanged.' });
    if (state === to) return { kept: nameOf(spare), unavailableMs: 0 };
    const unavailableMs = Math.round(performance.now() - began);
    await saved(link);
    return { kept: nameOf(spare), unavailableMs };
  });

  /** Gives the state in which it found the mark. */
  async function exchangeOnce(link: Link): Promise<string> {
    const hand = newHand(run);
    const took = await take(link, run, hand, [from, to]);
    if (took?.state === from)
      await transact(link, (mark) => exchanging({ ...held(mark, hand), state: to }, hand, database, spare));
    return took?.state ?? '';
  }
}

/** The same as the transaction, for a server whose memory is full: going back is what may free it. Redis 7 or later. */
const EXCHANGE = `#!lua flags=allow-oom
local found = redis.call('HMGET', KEYS[1], 'run', 'state', 'backup')
if found[1] and found[1] ~= ARGV[1] then return 'fenced' end
if found[2] ~= ARGV[2] then return found[2] or '' end
redis.call('SWAPDB', ARGV[5], ARGV[6])
redis.call('SELECT', ARGV[5])
redis.call('DEL', KEYS[1])
redis.call('SELECT', ARGV[6])
redis.call('HSET', KEYS[1], 'run', ARGV[1], 'state', ARGV[3], 'backup', found[3], 'hand', ARGV[4])
return found[2]`;

/** The mark comes over with the data; it is put back where nobody but Backstay looks. */
function exchanging(mark: Mark, hand: string, database: number, spare: number): readonly (readonly Argument[])[] {
  return [
    ['SWAPDB', String(database), String(spare)],
    ['SELECT', String(database)],
    ['DEL', MARK],
    ['SELECT', String(spare)],
    marking(mark, hand),
  ];
}

/** Puts a new hand on this run's mark: an earlier one that was held up can no longer end. Undefined in another state. */
async function take(
  link: Link,
  run: string,
  hand: string,
  states: readonly Mark['state'][],
): Promise<Mark | undefined> {
  let found: Mark | undefined;
  await transact(link, (mark) => {
    const own = ours(mark, run);
    found = own !== undefined && states.includes(own.state) ? own : undefined;
    return found === undefined ? [] : [marking(found, hand)];
  });
  return found;
}
