import type { JournalEntry } from '../journal/index.ts';
import type { Clock } from '../ports/index.ts';

/** Milliseconds: proxies and people take a connection on which nothing comes for dead. */
const HEARTBEAT_MS = 15_000;
/** Milliseconds for which somebody may leave what was sent unread; then they are cut off, and ask on from where they were. */
const STALL_MS = 30_000;
/** Milliseconds that a browser waits before it connects again. */
const RETRY_MS = 2_000;

export interface StreamOptions {
  readonly clock: Pick<Clock, 'delay'>;
  /** Until when it may go on. */
  readonly signal: AbortSignal;
  /** Called once, when it is over: to its end, by the signal, left by its reader, cut off, broken. */
  readonly onOver?: () => void;
  readonly heartbeatMs?: number;
  readonly stallMs?: number;
}

/**
 * An answer in `text/event-stream`, pulled by its reader: nothing is read ahead, so that a slow one holds no memory of ours
 * but the socket's own. Ends with the frames, which end when their signal fires. What they throw breaks the connection off.
 */
export function streamed(
  framesUntil: (signal: AbortSignal) => AsyncGenerator<Uint8Array, void, undefined>,
  { clock, signal, onOver, heartbeatMs = HEARTBEAT_MS, stallMs = STALL_MS }: StreamOptions,
): Response {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  if (either.aborted) onOver?.();
  else either.addEventListener('abort', () => onOver?.(), { once: true });
  const frames = framesUntil(either);
  let next: Promise<IteratorResult<Uint8Array, void>> | undefined;
  let beat: Promise<'beat'> | undefined;
  /** Counts what was taken; where it does not grow though something waits to be, the reader stalls. */
  let [taken, isWaiting] = [0, false];
  const end = (): void => {
    over.abort();
    // Nobody asks for more: what it holds is given back even where it was never begun.
    void frames.return();
  };
  const cutOffTheSlow = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    while (!over.signal.aborted) {
      const before = taken;
      await clock.delay(stallMs, over.signal).catch(() => undefined);
      if (over.signal.aborted || !isWaiting || taken !== before) continue;
      controller.error(new Error('the reader does not take what is sent'));
      end();
    }
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        controller.enqueue(encoded(`retry: ${RETRY_MS}\n\n`));
        isWaiting = true;
        void cutOffTheSlow(controller);
      },
      pull: async (controller) => {
        taken += 1;
        isWaiting = false;
        next ??= frames.next();
        beat ??= clock.delay(heartbeatMs, over.signal).then(
          () => 'beat' as const,
          () => 'beat' as const,
        );
        const first = await Promise.race([next, beat]).catch((error: unknown) => {
          over.abort();
          throw error;
        });
        if (over.signal.aborted) return;
        isWaiting = true;
        if (first === 'beat') {
          beat = undefined;
          controller.enqueue(BEAT);
          return;
        }
        next = undefined;
        if (first.done !== true) controller.enqueue(first.value);
        else {
          controller.close();
          over.abort();
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' },
  });
}

/** One event; its data is JSON, and so on one line. */
export function frame(event: string, data: object, id?: number): Uint8Array {
  return encoded(frameText(event, data, id));
}

const FRAMES = new WeakMap<JournalEntry, { readonly last: JournalEntry; readonly bytes: Uint8Array }>();

/** Of the events in a round, made once for all who have the same one. Undefined: there are none. */
export function framesOf(round: readonly JournalEntry[]): Uint8Array | undefined {
  const [first, last] = [round[0], round.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const known = FRAMES.get(first);
  const made = known?.last === last ? known : { last, bytes: encoded(round.map(textOf).join('')) };
  FRAMES.set(first, made);
  return made.bytes.length === 0 ? undefined : made.bytes;
}

function textOf(entry: JournalEntry): string {
  return entry.kind === 'event' ? frameText(entry.event.type, entry.event, entry.sequence) : '';
}

function frameText(event: string, data: object, id?: number): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

const ENCODER = new TextEncoder();
const encoded = (text: string): Uint8Array => ENCODER.encode(text);
const BEAT = encoded(': still there\n\n');
