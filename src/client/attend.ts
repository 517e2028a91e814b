import type { RunEvent } from '../model/index.ts';
import type { RunSeen } from './answers.ts';
import type { ServiceClient } from './client.ts';

export interface Attending {
  readonly run: string;
  /** The journal's last entry that was seen: only what comes after it is told. */
  readonly after?: number;
  /** Ends the looking; the run goes on. */
  readonly signal?: AbortSignal;
  /** Ends the looking when the run waits for a person. @default false */
  readonly untilWaiting?: boolean;
  readonly onEvent: (event: RunEvent) => void;
  /** Milliseconds between two looks whether the service is at a loss with it: nothing would ever be told then. @default 15 s */
  readonly lookMs?: number;
  /** The connection was lost; it is asked for again. */
  readonly onLost?: (because: string) => void;
}

/**
 * Milliseconds between two looks at a run that nobody goes on with yet: the first time, when what changes is not listened to
 * yet, and then, where nothing was heard.
 */
const FIRST_LOOK = 500;
const LOOK = 5_000;
const LOOK_AT_SERVICE = 15_000;

/**
 * Tells the events of a run, over lost connections, until it is over, waits for a person where that is asked for, or the
 * service is at a loss with it. Gives the run as it is then; undefined when the signal fired first.
 */
export async function attendRun(client: ServiceClient, attending: Attending): Promise<RunSeen | undefined> {
  const { run, after, signal = new AbortController().signal, untilWaiting = false, onEvent, onLost } = attending;
  const stuck = new AbortController();
  const look = setInterval(() => {
    void isStuck(run, client).then((is) => (is ? stuck.abort() : undefined));
  }, attending.lookMs ?? LOOK_AT_SERVICE);
  const over = new AbortController();
  const ending = AbortSignal.any([signal, stuck.signal, over.signal]);
  let changes: Changes | undefined;
  let seen = after;
  let last: RunEvent | undefined;
  try {
    for (;;) {
      const events = client.events(run, {
        signal: AbortSignal.any([signal, stuck.signal]),
        ...(seen === undefined ? {} : { after: String(seen) }),
        ...(onLost === undefined ? {} : { onLost }),
      });
      for await (const { id, event } of events) {
        seen = Number(id);
        last = event;
        onEvent(event);
        if (untilWaiting && event.type === 'approval.needed' && event.when === 'before') break;
      }
      if (signal.aborted) return undefined;
      const now = await client.run(run);
      // A mixed run that was asked to go on is over until somebody has begun with it.
      const isOver = now.outcome !== undefined && now.sequence > (after ?? 0);
      // The end is stored before it is told, and told by a process that may be gone by then.
      if (isOver && last?.type !== 'run.ended') onEvent(endOf(now, last));
      if (isOver || now.outcome === undefined || stuck.signal.aborted) return now;
      const isFirst = changes === undefined;
      changes ??= new Changes(client.changes(now.stack, ending));
      await changes.next(isFirst ? FIRST_LOOK : LOOK, ending);
    }
  } finally {
    clearInterval(look);
    over.abort();
  }
}

/** Of a stack, heard once however many there were. Where they cannot be heard, the looks go on. */
class Changes {
  #heard = Promise.withResolvers<void>();

  constructor(changes: AsyncIterable<unknown>) {
    void this.#hear(changes).catch(() => undefined);
  }

  async #hear(changes: AsyncIterable<unknown>): Promise<void> {
    for await (const _change of changes) this.#heard.resolve();
  }

  /** Resolves when something changed since the last time, after so many milliseconds, or with the signal. */
  async next(limitMs: number, signal: AbortSignal): Promise<void> {
    const go = (): void => this.#heard.resolve();
    const timer = setTimeout(go, limitMs);
    signal.addEventListener('abort', go, { once: true });
    if (signal.aborted) go();
    await this.#heard.promise;
    clearTimeout(timer);
    signal.removeEventListener('abort', go);
    this.#heard = Promise.withResolvers<void>();
  }
}

function endOf(seen: RunSeen, last: RunEvent | undefined): RunEvent {
  const { run, stack, outcome = 'mixed', reason, startedAt, endedAt = startedAt } = seen;
  return {
    run,
    stack,
    sequence: (last?.sequence ?? 0) + 1,
    time: endedAt,
    type: 'run.ended',
    outcome,
    ...(reason === undefined ? {} : { reason }),
    durationMs: Date.parse(endedAt) - Date.parse(startedAt),
  };
}

/** Where it cannot be asked, the events tell so themselves. */
async function isStuck(run: string, client: ServiceClient): Promise<boolean> {
  try {
    return (await client.run(run)).carried?.stuck === true;
  } catch {
    return false;
  }
}
