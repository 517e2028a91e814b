import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { attendRun, createClient } from '../../src/client/index.ts';
import { type FakeService, fakeService, json } from './fake-service.ts';

const frame = (sequence: number): string =>
  `id: ${sequence}\nevent: x\ndata: ${JSON.stringify({ type: 'phase.entered', run: 'r1', sequence })}\n\n`;
const ENDED = (sequence: number): string =>
  `id: ${sequence}\nevent: x\ndata: ${JSON.stringify({ type: 'run.ended', run: 'r1', sequence })}\n\n`;
const END = 'event: end\ndata: {}\n\n';

describe('attending a run', () => {
  let service: FakeService | undefined;
  afterEach(async () => await service?.close());

  /** `changes` of the stack; where they are not given, they are refused. */
  const answering = async (
    events: (response: ServerResponse, count: number) => void,
    view: (count: number) => object,
    changes?: (response: ServerResponse) => void,
  ): Promise<FakeService> => {
    const counts = { events: 0, view: 0 };
    service = await fakeService(({ url }, response) => {
      const isOfStack = url.startsWith('/v1/events');
      if (isOfStack && changes === undefined) return json(response, 403, { code: 'ACCESS_DENIED', detail: 'No.' });
      if (!isOfStack && !url.endsWith('/events')) return json(response, 200, view((counts.view += 1)));
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      return isOfStack ? changes?.(response) : events(response, (counts.events += 1));
    });
    return service;
  };

  it('ends with the run', async () => {
    const { url } = await answering(
      (response) => response.end(`${frame(1)}${ENDED(2)}${END}`),
      () => ({ outcome: 'succeeded', sequence: 2 }),
    );
    const told: number[] = [];
    const seen = await attendRun(createClient({ server: url }), {
      run: 'r1',
      onEvent: ({ sequence }) => told.push(sequence),
    });
    expect({ seen, told }).toEqual({ seen: { outcome: 'succeeded', sequence: 2 }, told: [1, 2] });
  });

  it('tells the end where nobody did: its process was gone before', async () => {
    const [startedAt, endedAt] = ['2026-01-01T12:00:00.000Z', '2026-01-01T12:00:09.000Z'];
    const view = { run: 'r1', stack: 'shop', outcome: 'failed', reason: 'why', startedAt, endedAt, sequence: 2 };
    const { url } = await answering(
      (response) => response.end(`${frame(1)}${END}`),
      () => view,
    );
    const told: object[] = [];
    await attendRun(createClient({ server: url }), { run: 'r1', onEvent: (event) => told.push(event) });
    const { run, stack, outcome, reason } = view;
    expect(told[1]).toEqual({
      run,
      stack,
      outcome,
      reason,
      type: 'run.ended',
      sequence: 2,
      time: endedAt,
      durationMs: 9000,
    });
    expect(told).toHaveLength(2);
  });

  it('waits for a mixed run that was asked to go on, and tells only what is new', async () => {
    const { url, asked } = await answering(
      (response, count) => response.end(count < 2 ? END : `${ENDED(6)}${END}`),
      (count) => ({ outcome: count < 2 ? 'mixed' : 'succeeded', sequence: count < 2 ? 5 : 6 }),
    );
    const told: number[] = [];
    const seen = await attendRun(createClient({ server: url }), {
      run: 'r1',
      after: 5,
      onEvent: ({ sequence }) => told.push(sequence),
    });
    expect({ outcome: seen?.outcome, told }).toEqual({ outcome: 'succeeded', told: [6] });
    expect(asked[0]?.headers['last-event-id']).toBe('5');
  });

  it('hears of a run that goes on from what changes of its stack, and asks at no interval', async () => {
    // No time passes: only what is heard can bring the next look.
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      let ear: ServerResponse | undefined;
      const changed = `event: changed\ndata: ${JSON.stringify({ stack: 'shop' })}\n\n`;
      const { url, asked } = await answering(
        (response, count) => response.end(count < 3 ? END : `${ENDED(6)}${END}`),
        (count) => {
          if (count === 2) ear?.write(changed);
          return { stack: 'shop', outcome: count < 3 ? 'mixed' : 'succeeded', sequence: count < 3 ? 5 : 6 };
        },
        (response) => {
          ear = response;
          ear.write(changed);
        },
      );
      const seen = await attendRun(createClient({ server: url }), { run: 'r1', after: 5, onEvent: () => undefined });
      expect(seen?.outcome).toBe('succeeded');
      expect(asked.filter((one) => one.url === '/v1/events?stack=shop')).toHaveLength(1);
      await expect.poll(() => ear?.destroyed, { timeout: 60_000 }).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  it('stops waiting at once for a run that nobody goes on with when the signal fires', async () => {
    const stop = new AbortController();
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      const { url } = await answering(
        (response) => response.end(END),
        () => ({ stack: 'shop', outcome: 'mixed', sequence: 5 }),
        () => stop.abort(),
      );
      const client = createClient({ server: url });
      const attending = { run: 'r1', after: 5, signal: stop.signal, onEvent: () => undefined };
      expect(await attendRun(client, attending)).toBeUndefined();
    } finally {
      vi.useRealTimers();
    }
  });

  it('does not wait for ever for a run that its service cannot go on with', async () => {
    const { url } = await answering(
      (response) => void response.write(frame(1)),
      (count) => ({
        sequence: 1,
        carried: count < 2 ? {} : { stuck: true, problem: { code: 'KEY_MISSING', message: 'x' } },
      }),
    );
    const seen = await attendRun(createClient({ server: url }), { run: 'r1', lookMs: 20, onEvent: () => undefined });
    expect(seen?.carried?.stuck).toBe(true);
  });

  it('leaves the run to its service when the signal fires', async () => {
    const { url } = await answering(
      (response) => void response.write(frame(1)),
      () => ({ sequence: 1 }),
    );
    const stop = new AbortController();
    const seen = await attendRun(createClient({ server: url }), {
      run: 'r1',
      signal: stop.signal,
      onEvent: () => stop.abort(),
    });
    expect(seen).toBeUndefined();
  });
});
