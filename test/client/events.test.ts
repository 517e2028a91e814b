import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createClient, type Fetch } from '../../src/client/index.ts';
import { fakeService } from './fake-service.ts';

const COUNT = 12;
const eventOf = (id: number): object => ({
  type: 'run.message',
  run: 'r1',
  stack: 'shop',
  sequence: id,
  message: `größer ${id}`,
});
const frame = (id: number): string => `id: ${id}\nevent: run.message\ndata: ${JSON.stringify(eventOf(id))}\n\n`;
const END = 'event: end\ndata: {}\n\n';

/** A service that tells events after the id that it is given, in pieces, and is cut off where the test says. */
function service(
  cuts: readonly number[],
  pieces: number,
): { readonly fetch: Fetch; readonly asked: (string | undefined)[] } {
  const asked: (string | undefined)[] = [];
  const left = [...cuts];
  const fetch: Fetch = async (_url, { headers }) => {
    const after = headers['last-event-id'];
    asked.push(after);
    // A service that is not sure tells the last one once more.
    const first = Math.max(1, Number(after ?? 0));
    const frames = Array.from({ length: COUNT - first + 1 }, (_, i) => frame(first + i));
    const bytes = new TextEncoder().encode(`: hello\n\n${frames.join('')}${END}`);
    const cut = left.shift();
    const sent = cut === undefined ? bytes : bytes.subarray(0, Math.floor((cut * bytes.length) / 100));
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (let at = 0; at < sent.length; at += pieces) controller.enqueue(sent.subarray(at, at + pieces));
        if (cut === undefined || cut % 2 === 0) controller.close();
        else controller.error(new Error('cut off'));
      },
    });
    return await Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }));
  };
  return { fetch, asked };
}

const collect = async (fetch: Fetch, lost: string[] = []): Promise<readonly number[]> => {
  const client = createClient({ server: 'http://127.0.0.1:1', fetch, delay: async () => await Promise.resolve() });
  const ids: number[] = [];
  for await (const { id, event } of client.events('r1', { onLost: (because) => lost.push(because) })) {
    expect(event).toEqual(eventOf(Number(id)));
    ids.push(Number(id));
  }
  return ids;
};

describe('the events of a run that a service carries', () => {
  it('come each once and in order, wherever the connection is cut and however the bytes are split', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 5 }),
        fc.integer({ min: 1, max: 200 }),
        async (cuts, pieces) => {
          const { fetch, asked } = service(cuts, pieces);
          expect(await collect(fetch)).toEqual(Array.from({ length: COUNT }, (_, i) => i + 1));
          expect(asked).toHaveLength(cuts.length + 1);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are asked for after the last one that was told, and the loss is said', async () => {
    const { fetch, asked } = service([50], 1000);
    const lost: string[] = [];
    await collect(fetch, lost);
    expect(asked[0]).toBeUndefined();
    expect(Number(asked[1])).toBeGreaterThan(0);
    expect(lost).toHaveLength(1);
  });

  it('are not waited for when the service says no', async () => {
    const fetch: Fetch = async () =>
      await Promise.resolve(
        new Response(JSON.stringify({ code: 'ACCESS_DENIED', detail: 'not yours' }), {
          status: 403,
          headers: { 'content-type': 'application/problem+json' },
        }),
      );
    await expect(collect(fetch)).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
  });

  it('are asked for again when the service has no place just now', async () => {
    const { fetch: whole } = service([], 1000);
    let refused = 0;
    const fetch: Fetch = async (...args) => {
      refused += 1;
      if (refused > 3) return await whole(...args);
      return new Response(JSON.stringify({ code: 'REQUESTS_TOO_MANY', detail: '100 streams are open' }), {
        status: 429,
        headers: { 'content-type': 'application/problem+json', 'retry-after': '10' },
      });
    };
    const lost: string[] = [];
    expect(await collect(fetch, lost)).toHaveLength(COUNT);
    expect(lost).toEqual([expect.stringContaining('100 streams are open')]);
  });

  it('are given up where the service stays away for ten minutes', async () => {
    let waited = 0;
    const client = createClient({
      server: 'http://127.0.0.1:1',
      fetch: async () => await Promise.reject(new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } })),
      delay: async (ms) => {
        waited += ms;
        await Promise.resolve();
      },
    });
    const all = async (): Promise<void> => {
      for await (const one of client.events('r1')) throw new TypeError(`nobody told ${one.id}`);
    };
    await expect(all()).rejects.toMatchObject({ code: 'SERVICE_UNREACHABLE' });
    expect(waited).toBeGreaterThanOrEqual(600_000);
    expect(waited).toBeLessThan(630_000);
  });

  it('end when nobody wants them any more, and the connection with them', async () => {
    let closed: () => void = () => undefined;
    const isClosed = new Promise<void>((resolve) => (closed = resolve));
    const real = await fakeService((_asked, response) => {
      response.on('close', closed);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(frame(1));
    });
    try {
      const stop = new AbortController();
      const seen: string[] = [];
      for await (const { id } of createClient({ server: real.url }).events('r1', { signal: stop.signal })) {
        seen.push(id);
        stop.abort();
      }
      expect(seen).toEqual(['1']);
      await isClosed;
      expect(real.asked).toHaveLength(1);
    } finally {
      await real.close();
    }
  });
});
