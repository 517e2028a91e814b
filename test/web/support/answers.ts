import type { Context } from 'hono';
import type { AppEnv } from '../../../src/http/context.ts';

/** The field, where there is a value for it. */
export function pick<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

export function problem(c: Context<AppEnv>, status: 401 | 404 | 409 | 412, code: string, detail: string): Response {
  const body = {
    type: `urn:backstay:error:${code}`,
    title: detail,
    status,
    detail,
    code,
    next: 'Look again.',
    source: 'user',
  };
  return c.body(JSON.stringify(body), status, { 'Content-Type': 'application/problem+json' });
}

/** A stream; `begin` returns what is to be done when nobody reads it any more. */
export function sse(begin: (write: (text: string) => void, end: () => void) => () => void): Response {
  let stop = (): void => undefined;
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      let isOpen = true;
      const close = (): void => {
        if (isOpen) controller.close();
        isOpen = false;
      };
      const release = begin((text) => {
        if (isOpen) controller.enqueue(encoder.encode(text));
      }, close);
      stop = () => {
        isOpen = false;
        release();
      };
    },
    cancel: () => stop(),
  });
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' } });
}
