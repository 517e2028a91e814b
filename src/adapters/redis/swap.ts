import { BackstayError } from '../../errors/index.ts';
import type { Swapped, SwapState } from '../../ports/index.ts';
import { type Access, type Argument, connected, type Link } from './connection.ts';
import { held, MARK, type Mark, marking, newHand, ours, readMark, transact } from './mark.ts';
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
    await transact(link, (found) => {
      held(found, mark.hand);
      return [['FLUSHDB', 'ASYNC']];
    });
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
    const hand = newHand(run);
    const took = await take(link, run, hand, [from, to]);
    if (took === undefined) throw new BackstayError('STORE_FAILED', otherwise, { next: 'Nothing was exchanged.' });
    if (took.state === to) return { kept: nameOf(spare), unavailableMs: 0 };
    const began = performance.now();
    await transact(link, (mark) => exchanging({ ...held(mark, hand), state: to }, hand, database, spare));
    const unavailableMs = Math.round(performance.now() - began);
    await saved(link);
    return { kept: nameOf(spare), unavailableMs };
  });
}

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
