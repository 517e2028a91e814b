import { request } from 'node:http';

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** For the whole exchange, milliseconds. @default 2000 */
  readonly timeoutMs?: number;
}

export interface CallResult {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as an object; undefined when it is none. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
}

export type Call = (url: string, options?: CallOptions) => Promise<CallResult>;

/**
 * One request on a connection of its own: a kept connection would go on reaching a pod that its Service no longer
 * selects. Rejects when there is no answer in time.
 */
export const call: Call = async (url, { method = 'GET', headers = {}, body, timeoutMs = 2000 } = {}) =>
  await new Promise<CallResult>((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const signal = AbortSignal.timeout(timeoutMs);
    const sent = request(url, { method, agent: false, headers: { ...headers, ...length }, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', (error) => reject(noAnswer(url, signal.aborted, timeoutMs, error)));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: objectOf(text) });
      });
    });
    sent.on('error', (error) => reject(noAnswer(url, signal.aborted, timeoutMs, error)));
    sent.end(body);
  });

function noAnswer(url: string, late: boolean, timeoutMs: number, error: Error): Error {
  const where = new URL(url).host;
  return new Error(
    late ? `no answer from ${where} within ${timeoutMs} ms` : `${where} cannot be reached: ${error.message}`,
    { cause: error },
  );
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
