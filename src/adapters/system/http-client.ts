import type { Agent, Dispatcher, request as send } from 'undici';
import { BackstayError } from '../../errors/index.ts';
import type { HttpAnswer, HttpClient } from '../../ports/index.ts';

/** A larger answer is an error: health pages and webhooks are small, and memory is not. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

export interface ClosableHttpClient extends HttpClient {
  close(): Promise<void>;
}

/**
 * HTTP over one pooled agent. Redirects are answers, not followed: a check that accepts 302 says so.
 * @throws ENDPOINT_UNREACHABLE when there is no connection or it breaks off, TIMEOUT when the limit passes, and the
 * signal's reason when it fires. Messages name host and path, never the query: it may hold a token.
 */
export function createHttpClient(options: { readonly userAgent?: string } = {}): ClosableHttpClient {
  let opened: Promise<Connected> | undefined;
  const connected = async (): Promise<Connected> => await (opened ??= connect());
  return {
    request: async (request) => {
      const { agent, request: ask } = await connected();
      const url = new URL(request.url);
      const limit = AbortSignal.timeout(request.timeoutMs);
      const signal = request.signal === undefined ? limit : AbortSignal.any([limit, request.signal]);
      try {
        const response = await ask(destination(url, request.connectTo), {
          method: request.method as 'GET',
          dispatcher: agent,
          signal,
          headers: {
            'user-agent': options.userAgent ?? 'backstay',
            ...lowerCased(request.headers),
            // undici takes the TLS server name from it too, so that `connectTo` changes only where we connect.
            host: url.host,
          },
          ...(request.body === undefined ? {} : { body: request.body }),
        });
        return await answerOf(response);
      } catch (error) {
        if (request.signal?.aborted === true) throw request.signal.reason;
        throw failure(url, request, limit, error);
      }
    },
    close: async () => {
      if (opened !== undefined) await (await opened).agent.close();
    },
  };
}

interface Connected {
  readonly request: typeof send;
  readonly agent: Agent;
}

async function connect(): Promise<Connected> {
  const undici = await import('undici');
  return {
    request: undici.request,
    agent: new undici.Agent({ maxResponseSize: MAX_ANSWER_BYTES, keepAliveTimeout: 4_000 }),
  };
}

function destination(url: URL, connectTo: { readonly host: string; readonly port: number } | undefined): URL {
  if (connectTo === undefined) return url;
  const to = new URL(url);
  to.hostname = connectTo.host.includes(':') ? `[${connectTo.host}]` : connectTo.host;
  to.port = String(connectTo.port);
  return to;
}

async function answerOf(response: Dispatcher.ResponseData): Promise<HttpAnswer> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return { status: response.statusCode, headers, body: await response.body.text() };
}

function lowerCased(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function failure(
  url: URL,
  request: { readonly method: string; readonly timeoutMs: number },
  limit: AbortSignal,
  error: unknown,
): BackstayError {
  const what = `${request.method} ${url.host}${url.pathname}`;
  if (limit.aborted) {
    return new BackstayError('TIMEOUT', `${what} gave no whole answer within ${request.timeoutMs} ms`, {
      cause: error,
    });
  }
  const code = (error as { code?: unknown } | null)?.code;
  const reason = typeof code === 'string' ? code : error instanceof Error ? error.message : String(error);
  return new BackstayError('ENDPOINT_UNREACHABLE', `${what} gave no answer: ${reason}`, { cause: error });
}
