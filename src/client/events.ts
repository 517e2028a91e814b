import { createParser } from 'eventsource-parser';
import { BackstayError } from '../errors/index.ts';
import { backOff, isUnreachable, type OpenAnswer, type Transport } from './transport.ts';

export interface ServerEvent {
  /** Absent where the service gave none. */
  readonly id?: string;
  readonly event: string;
  readonly data: unknown;
}

export interface FollowOptions {
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Go on after the event of this id. */
  readonly after?: string;
  readonly signal?: AbortSignal;
  /** Told once each time when the connection was lost. */
  readonly onLost?: (because: string) => void;
  /** Milliseconds without a byte after which a connection is as good as lost; the service says something every 15 s. */
  readonly quietMs?: number;
  /** Milliseconds without a connection after which it is given up. @default 10 minutes */
  readonly patienceMs?: number;
}

const QUIET = 45_000;
const PATIENCE = 600_000;

/**
 * Events as the service tells them, each once, over lost connections: it asks on after the last id that it has seen. Ends
 * with the service's `end`, or when the signal fires. @throws as a request does when the service says no, and
 * SERVICE_UNREACHABLE when it stays away
 */
export async function* follow(transport: Transport, options: FollowOptions): AsyncGenerator<ServerEvent, void, void> {
  const { signal, patienceMs = PATIENCE } = options;
  const isLeft = (): boolean => signal?.aborted === true;
  let { after } = options;
  let tries = 0;
  let waited = 0;
  while (!isLeft()) {
    try {
      for await (const event of connection(transport, options, after)) {
        [tries, waited] = [0, 0];
        // A service that was started again may tell the last one once more.
        if (event.id !== undefined && isSeen(event.id, after)) continue;
        after = event.id ?? after;
        if (event.event === 'end') return;
        yield event;
      }
      throw new BackstayError('SERVICE_UNREACHABLE', `${transport.server.host} closed the connection.`);
    } catch (error) {
      if (isLeft()) return;
      if (!isPassing(error) || waited >= patienceMs) throw error;
      if (tries === 0) options.onLost?.((error as Error).message);
    }
    tries += 1;
    const ms = backOff(tries);
    waited += ms;
    await transport.delay(ms, signal).catch(() => undefined);
  }
}

/** It is not there, or has no place just now: those of connections that were lost are free again before long. */
function isPassing(error: unknown): boolean {
  return isUnreachable(error) || (error instanceof BackstayError && error.code === 'REQUESTS_TOO_MANY');
}

/** Ids of a run are the sequence of its journal: they grow. Others are only ever equal. */
function isSeen(id: string, last: string | undefined): boolean {
  if (last === undefined) return false;
  const [now, before] = [Number(id), Number(last)];
  return Number.isInteger(now) && Number.isInteger(before) ? now <= before : id === last;
}

async function* connection(
  transport: Transport,
  { path, query = {}, signal, quietMs = QUIET }: FollowOptions,
  after: string | undefined,
): AsyncGenerator<ServerEvent, void, void> {
  const quiet = new AbortController();
  const giveUp = (): void =>
    quiet.abort(new BackstayError('SERVICE_UNREACHABLE', `${transport.server.host} said nothing for ${quietMs} ms.`));
  const opening = setTimeout(giveUp, quietMs);
  const answer = await transport
    .open({
      path,
      query,
      accept: 'text/event-stream',
      headers: { 'cache-control': 'no-store', ...(after === undefined ? {} : { 'last-event-id': after }) },
      timeoutMs: 0,
      signal: AbortSignal.any([quiet.signal, ...(signal ? [signal] : [])]),
    })
    .finally(() => clearTimeout(opening));
  const parsed: ServerEvent[] = [];
  const parser = createParser({
    onEvent: ({ id, event = 'message', data }) =>
      parsed.push({ ...(id === undefined ? {} : { id }), event, data: jsonOf(data) }),
  });
  const decoder = new TextDecoder();
  for await (const chunk of chunksOf(answer, giveUp, quietMs)) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* parsed.splice(0);
  }
}

/** Whatever ends them before the service does is a lost connection. */
async function* chunksOf(
  answer: OpenAnswer,
  giveUp: () => void,
  quietMs: number,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = answer.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const timer = setTimeout(giveUp, quietMs);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      yield value;
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BackstayError('SERVICE_UNREACHABLE', `The connection was lost: ${why}.`, { cause });
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
