import type { Swapped } from '../../ports/index.ts';
import type { Files } from './files.ts';
import { finalized, leftBy, type Pointer, recordOf, swappedBack, swappedIn } from './record.ts';
import { type Server, servedNow, serving, stopped } from './server.ts';

/** Has the server serve what this run restored. The former database stays beside, served by nobody. */
export async function swap(server: Server, run: string): Promise<Swapped> {
  const { to, unavailableMs } = await exchange(server, (pointer) => swappedIn(pointer, run));
  return { kept: recordOf(to, run)?.previous ?? '', unavailableMs };
}

/** The same backwards. What was exchanged in is kept as well, until finalized. */
export async function undoSwap(server: Server, run: string): Promise<Swapped> {
  const { to, unavailableMs } = await exchange(server, (pointer) => swappedBack(pointer, run));
  return { kept: recordOf(to, run)?.beside ?? '', unavailableMs };
}

/** Removes what a run kept, and then its record. Repeated, it finishes what was cut off. */
export async function finalize({ place }: Server, run: string): Promise<readonly string[]> {
  const seen = await place.look();
  const left = leftBy(seen, run);
  const remove = async ({ remove: drop }: Pick<Files, 'remove'>): Promise<readonly string[]> => {
    const removed: string[] = [];
    for (const name of left) if (await drop(name)) removed.push(name);
    return removed;
  };
  const removed = left.length === 0 ? [] : await place.withFiles(remove);
  if (recordOf(seen, run) !== undefined || seen.holder === run) await place.point(finalized(seen, run), seen);
  return removed;
}

/**
 * Decides on what is seen, stops the server, points it elsewhere by one write that somebody else's write refuses, and starts
 * it again. Cut off before that write, nothing was exchanged; after it, everything was, and the next try only starts it.
 */
async function exchange(
  server: Server,
  decide: (pointer: Pointer) => Pointer,
): Promise<{ readonly to: Pointer; readonly unavailableMs: number }> {
  const { place } = server;
  const seen = await place.look();
  const to = decide(seen);
  const isPointed = to === seen;
  if (isPointed && (await servedNow(server)) === to.live) return { to, unavailableMs: 0 };
  const began = performance.now();
  await stopped(server);
  try {
    if (!isPointed) await place.point(to, seen);
  } catch (error) {
    // Somebody else points it now, or nobody can: it serves again what it is told.
    await serving(server, (await place.look()).live);
    throw error;
  }
  await serving(server, to.live);
  return { to, unavailableMs: Math.round(performance.now() - began) };
}
