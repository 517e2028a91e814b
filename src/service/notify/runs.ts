import { isBackstayError } from '../../errors/index.ts';
import { Follower } from './follower.ts';
import type { NotifyDeps } from './outbox.ts';
import { beginning, places } from './told.ts';

/** Journals that are read from their beginning at one time. */
const AT_A_TIME = 4;

/**
 * Follows every run of every stack, whoever carries it, and writes down who is to be told what. Nothing is told before the
 * entry that it is about is stored. Until the signal fires.
 * @throws what journal and records throw; started again it goes on where it was
 */
export async function watchRuns(deps: NotifyDeps, signal: AbortSignal): Promise<void> {
  const known = await places(deps);
  const { since, settledBefore = '' } = await beginning(deps);
  const settled = (await deps.journal.runs()).filter(
    ({ run, startedAt }) => startedAt < settledBefore && !known.has(run),
  );
  const over = [...known].filter(([, place]) => place.over === true);
  const done = new Set([...over.map(([run]) => run), ...settled.map(({ run }) => run)]);
  const gate = gateOf(AT_A_TIME);
  const followers = new Map<string, Follower>();
  const tasks = new Set<Promise<void>>();
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const follow = async (run: string): Promise<void> => {
    const follower = new Follower({ run, since, place: known.get(run) ?? {}, gate }, deps);
    followers.set(run, follower);
    try {
      if (await follower.work(stop)) done.add(run);
    } catch (error) {
      if (stop.aborted) return;
      if (!isBackstayError(error, 'JOURNAL_BROKEN')) failed.abort(error);
      // One damaged journal keeps nobody from hearing of the others.
      done.add(run);
      deps.log({ level: 'error', event: 'notice.unreadable', run });
    } finally {
      followers.delete(run);
    }
  };
  try {
    for await (const { run } of deps.records.changes(stop)) {
      const runs = run === undefined ? (await deps.journal.runs()).map((one) => one.run) : [run];
      for (const one of runs.filter((name) => !done.has(name))) {
        const follower = followers.get(one);
        if (follower !== undefined) {
          follower.poke();
          continue;
        }
        const task: Promise<void> = follow(one).finally(() => tasks.delete(task));
        tasks.add(task);
      }
    }
  } finally {
    if (!stop.aborted) failed.abort();
    await Promise.allSettled(tasks);
  }
  if (!signal.aborted) throw failed.signal.reason;
}

/** Lets so many in at a time. */
function gateOf(size: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = size;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
