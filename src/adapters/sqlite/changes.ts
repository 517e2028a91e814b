import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';

export interface FileChanges {
  /** Resolves when the file, or one that SQLite puts beside it, was written since this was last asked, or at the signal. */
  next(): Promise<void>;
  close(): void;
}

/** Hears of every write to a database by whatever process, from the moment this returns. */
export function fileChanges(file: string, signal: AbortSignal): FileChanges {
  const name = basename(file);
  let wasTold = false;
  let failure: { readonly error: unknown } | undefined;
  let wake: (() => void) | undefined;
  const tell = (): void => {
    wasTold = true;
    wake?.();
  };
  // The folder: SQLite removes its write-ahead log and makes it again.
  const watcher = watch(dirname(file), (_event, changed) => {
    if (changed === null || changed.startsWith(name)) tell();
  });
  watcher.on('error', (error) => {
    failure = { error };
    tell();
  });
  signal.addEventListener('abort', tell, { once: true });
  return {
    next: async () => {
      if (!wasTold && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
      wake = undefined;
      wasTold = false;
      if (failure !== undefined) throw failure.error;
    },
    close: () => {
      watcher.close();
      signal.removeEventListener('abort', tell);
    },
  };
}
