import { setTimeout as delay } from 'node:timers/promises';
import type * as undiciModule from 'undici';
import type { Dispatcher, WebSocket } from 'undici';
import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { Credentials, Proof, TlsSettings } from './credentials.ts';
import { type Asked, failureOf, statusOf } from './failures.ts';

export interface Ask {
  readonly verb: string;
  readonly subject: string;
  readonly namespace?: string | undefined;
  readonly method: string;
  /** Absolute path with query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal | undefined;
  /** Passed on to a program of the cluster: what that answers is its own, whatever the status. */
  readonly passedOn?: true;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface TransportOptions {
  readonly server: string;
  readonly proxyUrl?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly userAgent: string;
  readonly credentials: Credentials;
}

type Undici = typeof undiciModule;

/** Requests share these connections; watches have connections of their own, so that they never starve the rest. */
const CONNECTIONS = 12;
const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 60_000;
/** Bookmarks come about every minute; a stream silent for longer is taken for dead and opened again. */
const STREAM_SILENCE_MS = 120_000;
const READ_ATTEMPTS = 4;
const LONGEST_RETRY_MS = 10_000;

/** HTTP to one API server over one pool of connections that are kept alive. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #base: string;
  #undici: Undici | undefined;
  #pools: { readonly tls: TlsSettings; readonly plain: Dispatcher; readonly stream: Dispatcher } | undefined;
  readonly #retired: Dispatcher[] = [];

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#base = new URL(options.server).pathname.replace(/\/$/, '');
  }

  get server(): string {
    return this.#options.server;
  }

  /** The answer whatever its status. Reads are tried again after a cut connection or a busy server; writes never. */
  async exchange(ask: Ask): Promise<Answer> {
    const reads = ask.method === 'GET';
    let renewed = false;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const proof = await this.#options.credentials.prove();
        const answer = await this.#once(ask, proof);
        if (ask.passedOn === true && statusOf(answer.text) === undefined) return answer;
        if (answer.status === 401 && !renewed && (await this.#options.credentials.forget(proof))) {
          renewed = true;
          continue;
        }
        const wait = reads && attempt < READ_ATTEMPTS ? retryAfter(answer) : undefined;
        if (wait === undefined) return answer;
        await delay(wait, undefined, ask.signal === undefined ? {} : { signal: ask.signal });
      } catch (cause) {
        if (isBackstayError(cause)) throw cause;
        if (ask.signal?.aborted === true) throw stopped(ask.signal, cause);
        if (reads && attempt < READ_ATTEMPTS && isCut(cause)) {
          await delay(50 * 2 ** attempt * (0.5 + Math.random() / 2));
          continue;
        }
        throw this.#unreachable(ask, cause);
      }
    }
  }

  /** The answer below 400; anything else is thrown as the BackstayError it means. */
  async send(ask: Ask): Promise<Answer> {
    const answer = await this.exchange(ask);
    if (answer.status >= 400) throw failureOf(this.asked(ask), answer.status, answer.text);
    return answer;
  }

  async json<T>(ask: Ask): Promise<T> {
    const { text } = await this.send(ask);
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new BackstayError(
        'CLUSTER_UNREACHABLE',
        `${this.server} answered ${ask.path} with something that is not JSON.`,
        {
          cause,
          next: 'Check that the address in the kubeconfig is an API server, not a proxy or a login page.',
        },
      );
    }
  }

  /** Chunks of a long answer. Errors before the first byte are thrown; silence and cuts end it with an error. */
  async *stream(ask: Ask & { readonly signal: AbortSignal }): AsyncGenerator<Buffer> {
    let body: AsyncIterable<Buffer>;
    try {
      const response = await this.#dispatch(ask, 'stream', await this.#options.credentials.prove());
      if (response.statusCode >= 400) throw failureOf(this.asked(ask), response.statusCode, await response.body.text());
      body = response.body as AsyncIterable<Buffer>;
    } catch (cause) {
      if (isBackstayError(cause) || ask.signal.aborted) throw cause;
      throw this.#unreachable(ask, cause);
    }
    yield* body;
  }

  /** A WebSocket to a path of the API server, with the same proof and certificates as every other request. */
  async socket(path: string, protocol: string): Promise<WebSocket> {
    const proof = await this.#options.credentials.prove();
    this.#undici ??= await import('undici');
    const dispatcher = this.#poolsFor(this.#undici, proof).stream;
    const url = new URL(new URL(this.server).origin + this.#base + path);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const headers = { 'user-agent': this.#options.userAgent, ...proof.headers };
    return new this.#undici.WebSocket(url, { protocols: [protocol], dispatcher, headers });
  }

  async close(): Promise<void> {
    const all = [this.#pools?.plain, this.#pools?.stream, ...this.#retired].filter((pool) => pool !== undefined);
    this.#pools = undefined;
    await Promise.all(all.map((pool) => pool.destroy()));
  }

  asked(ask: Ask): Asked {
    const { verb, subject, namespace } = ask;
    return { verb, subject, namespace, server: this.server, write: ask.method !== 'GET' };
  }

  async #once(ask: Ask, proof: Proof): Promise<Answer> {
    const response = await this.#dispatch(ask, 'plain', proof);
    const text = await response.body.text();
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(response.headers)) {
      if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    return { status: response.statusCode, headers, text };
  }

  async #dispatch(ask: Ask, pool: 'plain' | 'stream', proof: Proof): Promise<Dispatcher.ResponseData> {
    this.#undici ??= await import('undici');
    const dispatcher = this.#poolsFor(this.#undici, proof)[pool];
    return await this.#undici.request(new URL(this.server).origin + this.#base + ask.path, {
      dispatcher,
      method: ask.method,
      headers: { accept: 'application/json', 'user-agent': this.#options.userAgent, ...ask.headers, ...proof.headers },
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: pool === 'stream' ? STREAM_SILENCE_MS : ANSWER_TIMEOUT_MS,
      ...(ask.body === undefined ? {} : { body: ask.body }),
      ...(ask.signal === undefined ? {} : { signal: ask.signal }),
    });
  }

  /** New pools only when the certificates changed; the old ones finish what they carry and go with `close`. */
  #poolsFor(undici: Undici, { tls }: Proof): { readonly plain: Dispatcher; readonly stream: Dispatcher } {
    if (this.#pools !== undefined && sameTls(this.#pools.tls, tls)) return this.#pools;
    if (this.#pools !== undefined) this.#retired.push(this.#pools.plain, this.#pools.stream);
    const make = (connections: number | null): Dispatcher => {
      // HTTP/1.1: over HTTP/2 undici joins repeated headers, and Impersonate-Group must not be joined.
      const settings = { connections, keepAliveTimeout: 30_000, allowH2: false };
      const connect = { ...tls, timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: 30_000 };
      const { proxyUrl, env } = this.#options;
      if (proxyUrl !== undefined) return new undici.ProxyAgent({ ...settings, uri: proxyUrl, requestTls: connect });
      const httpsProxy = env['HTTPS_PROXY'] ?? env['https_proxy'];
      const httpProxy = env['HTTP_PROXY'] ?? env['http_proxy'];
      if (httpsProxy === undefined && httpProxy === undefined) return new undici.Agent({ ...settings, connect });
      return new undici.EnvHttpProxyAgent({
        ...settings,
        connect,
        requestTls: connect,
        // Empty, not absent: undici would otherwise look into process.env, which only config/ reads.
        httpsProxy: httpsProxy ?? '',
        httpProxy: httpProxy ?? '',
        noProxy: env['NO_PROXY'] ?? env['no_proxy'] ?? '',
      });
    };
    this.#pools = { tls, plain: make(CONNECTIONS), stream: make(null) };
    return this.#pools;
  }

  #unreachable(ask: Ask, cause: unknown): BackstayError {
    const { why, next } = reasonOf(cause);
    return new BackstayError('CLUSTER_UNREACHABLE', `The API server at ${this.server} does not answer: ${why}.`, {
      cause,
      ...(next === undefined ? {} : { next }),
      details: {
        server: this.server,
        verb: ask.verb,
        subject: ask.subject,
        // A write that was cut may have been done: whoever asked must look before asking again.
        ...(ask.method !== 'GET' && (isCut(cause) || SILENT.has(codeOf(cause))) ? { outcomeUnknown: true } : {}),
      },
    });
  }
}

function sameTls(a: TlsSettings, b: TlsSettings): boolean {
  if (a === b) return true;
  const same = (x: string | Buffer | undefined, y: string | Buffer | undefined): boolean =>
    x === y || (x !== undefined && y !== undefined && Buffer.from(x).equals(Buffer.from(y)));
  return (
    same(a.ca, b.ca) &&
    same(a.cert, b.cert) &&
    same(a.key, b.key) &&
    a.servername === b.servername &&
    a.rejectUnauthorized === b.rejectUnauthorized
  );
}

/** Milliseconds to wait before asking again, when the server says that it is only busy. */
function retryAfter(answer: Answer): number | undefined {
  const busy =
    answer.status === 429 || ([500, 503, 504].includes(answer.status) && answer.headers['retry-after'] !== undefined);
  if (!busy) return undefined;
  const seconds = Number(answer.headers['retry-after'] ?? statusOf(answer.text)?.details.retryAfterSeconds ?? 1);
  return Math.min(LONGEST_RETRY_MS, (Number.isFinite(seconds) ? seconds : 1) * 1000);
}

function codeOf(cause: unknown): string {
  const { code, errors } = (cause ?? {}) as { code?: unknown; errors?: readonly unknown[] };
  if (typeof code === 'string') return code;
  return errors?.[0] === undefined ? '' : codeOf(errors[0]);
}

const CUT = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);
/** Nobody knows whether what was asked was done. Not asked again: a server that is silent for a minute stays so. */
const SILENT = new Set(['UND_ERR_BODY_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT']);
const isCut = (cause: unknown): boolean => CUT.has(codeOf(cause));

function reasonOf(cause: unknown): { readonly why: string; readonly next?: string } {
  const code = codeOf(cause);
  const text = cause instanceof Error && cause.message !== '' ? cause.message : code || 'no reason was given';
  if (code === 'ECONNREFUSED')
    return {
      why: 'the connection was refused',
      next: 'Check that the cluster is up and that the context is the right one.',
    };
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return { why: 'its name cannot be resolved', next: 'Check the context, the VPN and DNS.' };
  if (/TIMEOUT/.test(code)) return { why: 'it took too long', next: 'Check the VPN and firewalls on the way to it.' };
  if (/CERT|SELF_SIGNED|UNABLE_TO|^ERR_TLS|^ERR_SSL/.test(code)) {
    return {
      why: `TLS failed (${code}: ${text})`,
      next: 'Check certificate-authority of the cluster in the kubeconfig.',
    };
  }
  return { why: code === '' || text.includes(code) ? text : `${text} (${code})` };
}

function stopped(signal: AbortSignal, cause: unknown): BackstayError {
  const reason: unknown = signal.reason;
  if (isBackstayError(reason)) return reason;
  const late = reason instanceof Error && reason.name === 'TimeoutError';
  return late
    ? new BackstayError('TIMEOUT', 'The time limit passed while the API server was asked.', { cause })
    : new BackstayError('CANCELLED', 'Stopped while the API server was asked.', { cause });
}
