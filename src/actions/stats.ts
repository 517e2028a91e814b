import { isBackstayError } from '../errors/index.ts';
import { figureOf, fold, type Grouping, type RunFigure, type Stats, statsOf } from '../journal/index.ts';
import type { Clock, JournalStore } from '../ports/index.ts';

export interface StatsOptions {
  readonly stack?: string;
  /** Milliseconds back from now. */
  readonly sinceMs: number;
  readonly by: Grouping;
}

export interface StatsResult extends Stats {
  readonly by: Grouping;
  readonly stack?: string;
  /** Runs whose journal cannot be read, and which are in no figure. */
  readonly damaged: readonly string[];
}

/** How often, how well, how long and with how much downtime. */
export async function stats(
  { stack, sinceMs, by }: StatsOptions,
  { journal, clock }: { readonly journal: Pick<JournalStore, 'runs' | 'read'>; readonly clock: Pick<Clock, 'now'> },
): Promise<StatsResult> {
  const now = clock.now();
  const since = new Date(now - sinceMs).toISOString();
  const figures: RunFigure[] = [];
  const damaged: string[] = [];
  for (const { run, startedAt } of await journal.runs(stack)) {
    if (startedAt < since) continue;
    try {
      figures.push(figureOf(fold(await journal.read(run))));
    } catch (error) {
      if (!isBackstayError(error, 'JOURNAL_BROKEN')) throw error;
      damaged.push(run);
    }
  }
  return { by, ...(stack === undefined ? {} : { stack }), ...statsOf(figures, { now, sinceMs, by }), damaged };
}
