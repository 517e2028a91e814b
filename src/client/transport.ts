import { randomUUID } from 'node:crypto';
import { BackstayError } from '../errors/index.ts';
import { errorOf } from './problem.ts';

/** As much of fetch as is used, so that tests and other programs can bring their own. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly body?: string;
    readonly redirect: 'manual';
    readonly signal?: AbortSignal;
  },
) => Promise<Pick<Response, 'status' | 'headers' | 'body' | 'arrayBuffer'>>;

/** One that is read as it comes. */
export type OpenAnswer = Awaited<ReturnType<Fetch>>;

/** One that has come whole. */
export interface Answer extends Pick<OpenAnswer, 'status' | 'headers'> {
  readonly bytes: Uint8Array;
  /** As UTF-8. */
  text(): string;
}

export interface ClientSettings {
  /** `https://backstay.example`, also with a path in front of `/v1`. */
  readonly server: string;
  /** Asked before each request, so that one that was renewed meanwhile is the one that is sent. */
  readonly token?: () => Promise<string | undefined>;
  /** Send the token over plain HTTP to another machine. @default false */
  readonly allowPlainHttp?: boolean;
  readonly userAgent?: string;
  /** @default undici's, through the proxy that the environment names */
  readonly fetch?: Fetch;
  /** Resolves after so many milliseconds, rejects with the signal's reason. @default timers */
  readonly delay?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Begins with a slash. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: object;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds for one try. @default a minute; 0: none */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface Transport {
  readonly server: URL;
  /** An answer with a status below 300. @throws what the service's problem says, SERVICE_UNREACHABLE, SERVICE_REFUSED */
  ask(ask: Ask): Promise<Answer>;
  /** The same in one try, as soon as it begins. */
  open(ask: Ask): Promise<OpenAnswer>;
  delay(ms: number, signal?: AbortSignal): Promise<void>;
}

const MINUTE = 60_000;
/** Milliseconds before the second try; doubled with each further one. */
const FIRST_WAIT = 250;
const LONGEST_WAIT = 15_000;
/** In all, where nobody answers. */
const TRIES = 4;
/** What a proxy in front answers while the service is away. */
const AWAY: ReadonlySet<number> = new Set([502, 503, 504]);

/** @throws USAGE for an address that is none, or over which a token would be readable */
export function createTransport(settings: ClientSettings): Transport {
  const server = serverUrl(settings);
  const delay = settings.delay ?? wait;
  const send = once(async () => settings.fetch ?? (await proxiedFetch()));
  const tryOnce = async <T>(
    asked: Ask,
    key: string | undefined,
    read: (answer: OpenAnswer) => Promise<T>,
  ): Promise<T> => {
    const { method = 'GET', body, signal, timeoutMs = MINUTE } = asked;
    const limit = timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : undefined;
    const limits = [signal, limit].filter((one) => one !== undefined);
    const token = await settings.token?.();
    try {
      const answer = await (await send())(urlOf(server, asked), {
        method,
        redirect: 'manual',
        headers: {
          accept: asked.accept ?? 'application/json',
          'user-agent': settings.userAgent ?? 'backstay',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(key === undefined ? {} : { 'idempotency-key': key }),
          ...asked.headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(limits.length === 0 ? {} : { signal: AbortSignal.any(limits) }),
      });
      return await read(answer);
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      if (limit?.aborted === true) throw tooLate(server, timeoutMs);
      throw unreachable(server, error);
    }
  };
  const ask = async (asked: Ask): Promise<Answer> => {
    // The same key with every try: what was done by one whose answer was lost is not done twice.
    const key = asked.method === undefined || asked.method === 'GET' ? undefined : randomUUID();
    for (let tries = 1; ; tries += 1) {
      const answer = await tryOnce(asked, key, whole).catch((error: unknown) => {
        if (tries >= TRIES || !isUnreachable(error)) throw error;
        return undefined;
      });
      if (answer === undefined) {
        await delay(backOff(tries), asked.signal);
        continue;
      }
      if (answer.status < 300) return answer;
      const error = errorOf(answer, server);
      const waitMs = againAfter(answer, error, tries);
      if (tries >= TRIES || waitMs === undefined) throw error;
      await delay(waitMs, asked.signal);
    }
  };
  const open = async (asked: Ask): Promise<OpenAnswer> => {
    const answer = await tryOnce(asked, undefined, async (opened) => await Promise.resolve(opened));
    if (answer.status < 300) return answer;
    throw errorOf(await whole(answer), server);
  };
  return { server, ask, open, delay };
}

async function whole(answer: OpenAnswer): Promise<Answer> {
  const { status, headers } = answer;
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return { status, headers, bytes, text: () => new TextDecoder().decode(bytes) };
}

/** Milliseconds until another try makes sense; undefined: never, the service has said no. */
function againAfter({ status, headers }: Answer, { code }: BackstayError, tries: number): number | undefined {
  const isAway = code === 'SERVICE_REFUSED' && AWAY.has(status);
  // Our own first try is at work whose answer was lost.
  const isOurs = code === 'REQUEST_UNDER_WAY' && tries > 1;
  if (status !== 429 && !isAway && !isOurs) return undefined;
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) ? Math.min(seconds * 1000, LONGEST_WAIT) : backOff(tries);
}

/** Milliseconds after so many tries that failed. */
export function backOff(tries: number): number {
  return Math.min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT);
}

function serverUrl({ server, token, allowPlainHttp = false }: ClientSettings): URL {
  const url = URL.parse(server.endsWith('/') ? server : `${server}/`);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new BackstayError('USAGE', `"${server}" is no address of a service, such as https://backstay.example.`);
  if (url.username !== '' || url.password !== '')
    throw new BackstayError('USAGE', 'The address of a service carries no user and no password.', {
      next: 'Give a token by BACKSTAY_TOKEN or a file.',
    });
  if (url.protocol === 'http:' && token !== undefined && !allowPlainHttp && !isLoopback(url.hostname))
    throw new BackstayError('USAGE', `A token would go to ${url.host} in the clear.`, {
      next: 'Use https://, or set BACKSTAY_PLAIN_HTTP=1 where the way there is protected otherwise.',
    });
  return url;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function urlOf(server: URL, { path, query = {} }: Ask): string {
  const url = new URL(path.slice(1), server);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
  return url.href;
}

function unreachable(server: URL, error: unknown): BackstayError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = (cause as { readonly code?: unknown } | null)?.code;
  const reason = typeof code === 'string' ? code : cause instanceof Error ? cause.message : String(cause);
  return new BackstayError('SERVICE_UNREACHABLE', `${server.host} gave no answer: ${reason}.`, {
    cause: error,
    details: { server: server.origin },
  });
}

function tooLate(server: URL, timeoutMs: number): BackstayError {
  return new BackstayError('TIMEOUT', `${server.host} gave no whole answer within ${timeoutMs / 1000} s.`, {
    details: { server: server.origin },
  });
}

export function isUnreachable(error: unknown): boolean {
  return error instanceof BackstayError && error.code === 'SERVICE_UNREACHABLE';
}

async function proxiedFetch(): Promise<Fetch> {
  // Node's own fetch and this package's agent do not go together.
  const { EnvHttpProxyAgent, fetch } = await import('undici');
  // Planning may take minutes, and a watcher of a run hours: each request brings its own limit.
  const dispatcher = new EnvHttpProxyAgent({ headersTimeout: 0, bodyTimeout: 0 });
  return async (url, init) => await fetch(url, { ...init, dispatcher });
}

async function wait(ms: number, signal?: AbortSignal): Promise<void> {
  const { setTimeout } = await import('node:timers/promises');
  await setTimeout(ms, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
    throw signal?.reason ?? error;
  });
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return async () => await (made ??= make());
}
