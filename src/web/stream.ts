import { createParser } from 'eventsource-parser';
import { type Problem, problemOf, signedOut } from './api.ts';

export type StreamState = 'connecting' | 'live' | 'offline' | 'over' | 'refused';

export interface StreamEvent {
  readonly type: string;
  readonly data: string;
}

export interface Following {
  readonly path: string;
  /** Id of the last event that is known already. @default none */
  readonly after?: number;
  /** The last one is `end`, where the stream ends by itself. */
  readonly onEvents: (events: readonly StreamEvent[]) => void;
  readonly onState: (state: StreamState, problem?: Problem) => void;
  /** For tests. @default the page's own */
  readonly fetch?: typeof globalThis.fetch;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** The service says something every 15 s; a connection that is silent for longer than two of them is dead. */
const SILENCE_MS = 40_000;

/**
 * Follows a stream of events until it is over, or the function returned is called. A connection that is lost is taken up again
 * where it was (Last-Event-ID), with growing pauses, at once when the browser says that the network is back. Not EventSource,
 * which tells nobody why it was refused.
 */
export function follow(following: Following): () => void {
  const stopped = new AbortController();
  void keepFollowing(following, stopped.signal);
  return () => stopped.abort();
}

async function keepFollowing(following: Following, stopped: AbortSignal): Promise<void> {
  const { after = 0 } = following;
  const place: Place = { lastId: after === 0 ? '' : String(after), waitMs: FIRST_WAIT_MS };
  following.onState('connecting');
  while (!stopped.aborted) {
    const end = await readOnce(following, place, stopped);
    if (stopped.aborted) return;
    if (end !== 'lost') return;
    following.onState('offline');
    await pause(place.waitMs * (0.75 + Math.random() / 2), stopped);
    place.waitMs = Math.min(LONGEST_WAIT_MS, place.waitMs * 2);
  }
}

interface Place {
  lastId: string;
  waitMs: number;
}

async function readOnce(
  following: Following,
  place: Place,
  stopped: AbortSignal,
): Promise<'over' | 'refused' | 'lost'> {
  const { path, onState } = following;
  const silence = new AbortController();
  const either = AbortSignal.any([stopped, silence.signal]);
  let watchdog = setTimeout(() => silence.abort(), SILENCE_MS);
  const heard = (): void => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  try {
    const response = await (following.fetch ?? globalThis.fetch)(path, {
      credentials: 'same-origin',
      headers: { accept: 'text/event-stream', ...(place.lastId === '' ? {} : { 'last-event-id': place.lastId }) },
      signal: either,
    });
    if (!response.ok || response.body === null) return await refusal(response, onState);
    onState('live');
    place.waitMs = FIRST_WAIT_MS;
    return await readBody(response.body, following, place, heard);
  } catch {
    return 'lost';
  } finally {
    clearTimeout(watchdog);
  }
}

/** What will not get better by itself ends it; an overloaded or restarting service is asked again. */
async function refusal(response: Response, onState: Following['onState']): Promise<'refused' | 'lost'> {
  if (response.status === 429 || response.status >= 500) return 'lost';
  const problem = await problemOf(response);
  // Until somebody signs in.
  if (response.status === 401) return 'lost';
  onState('refused', problem);
  return 'refused';
}

async function readBody(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { onEvents, onState }: Following,
  place: Place,
  heard: () => void,
): Promise<'over' | 'lost'> {
  let batch: StreamEvent[] = [];
  let over = false;
  const parser = createParser({
    onEvent: ({ id, event = 'message', data }) => {
      if (id !== undefined && id !== '') place.lastId = id;
      if (event === 'end') over = true;
      batch.push({ type: event, data });
    },
    onRetry: (ms) => {
      place.waitMs = Math.min(LONGEST_WAIT_MS, Math.max(FIRST_WAIT_MS, ms));
    },
  });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return 'lost';
    heard();
    parser.feed(value);
    if (batch.length > 0) onEvents(batch);
    batch = [];
    if (!over) continue;
    onState('over');
    void reader.cancel();
    return 'over';
  }
}

/** Ends early when the network comes back, or nobody listens any more. */
async function pause(ms: number, stopped: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      globalThis.removeEventListener?.('online', done);
      stopped.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    globalThis.addEventListener?.('online', done);
    stopped.addEventListener('abort', done);
  });
  // Whoever is signed out is not asked for again and again; signing in begins anew.
  if (signedOut.peek()) await untilSignedIn(stopped);
}

async function untilSignedIn(stopped: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const release = signedOut.subscribe((out) => {
      if (!out) resolve();
    });
    stopped.addEventListener('abort', () => resolve());
    stopped.addEventListener('abort', release);
  });
}
