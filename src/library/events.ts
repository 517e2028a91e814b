import { watch, type WatchResult } from '../actions/watch.ts';
import type { RunEvent } from '../model/index.ts';
import type { JournalStore } from '../ports/index.ts';

/**
 * The events of a run, those that were and each new one, as they are asked for; its end is the generator's return value. Who
 * stops asking ends the watching, never the run. @throws RUN_UNKNOWN, JOURNAL_BROKEN, JOURNAL_UNREACHABLE
 */
export async function* watchedEvents(
  { run, signal }: { readonly run: string; readonly signal?: AbortSignal },
  journal: JournalStore,
): AsyncGenerator<RunEvent, WatchResult, void> {
  const leave = new AbortController();
  const told: RunEvent[] = [];
  let wake = (): void => undefined;
  let isOver = false;
  const result = watch(
    { run, signal: AbortSignal.any([leave.signal, ...(signal === undefined ? [] : [signal])]) },
    {
      journal,
      reporter: {
        report: (event) => {
          told.push(event);
          wake();
        },
      },
    },
  );
  const over = result.then(
    () => undefined,
    () => undefined,
  );
  void over.then(() => {
    isOver = true;
    wake();
  });
  try {
    for (;;) {
      for (let event = told.shift(); event !== undefined; event = told.shift()) yield event;
      if (isOver) return await result;
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (told.length > 0 || isOver) resolve();
      });
    }
  } finally {
    leave.abort();
    await over;
  }
}
