import { describe, expect, test } from 'vitest';
import { frame, streamed } from '../../src/http/sse.ts';

/** Time that a test lets pass: each delay ends when it is told to. */
function clockByHand() {
  const waiting: { readonly ms: number; readonly go: () => void }[] = [];
  return {
    delay: async (ms: number, signal?: AbortSignal) =>
      await new Promise<void>((resolve, reject) => {
        const one = { ms, go: resolve };
        waiting.push(one);
        const leave = (): void => {
          waiting.splice(waiting.indexOf(one), 1);
          reject(new Error('aborted'));
        };
        signal?.addEventListener('abort', leave, { once: true });
      }),
    /** How many wait that nobody has called off. */
    waiting: (): number => waiting.length,
    /** Everything that waits for so long is over. */
    pass: (ms: number): void => {
      for (const one of waiting.splice(0).filter((each) => each.ms === ms || void waiting.push(each))) one.go();
    },
  };
}

const settle = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));
const never = new AbortController().signal;
const textOf = (chunk: Uint8Array | undefined): string => new TextDecoder().decode(chunk);

async function* three(): AsyncGenerator<Uint8Array, void, undefined> {
  for (const n of [1, 2, 3]) yield frame('step', { n }, n);
}

async function* oneThenSilence(signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  yield frame('step', { n: 1 }, 1);
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

describe('a stream of events', () => {
  test('is what browsers and parsers expect, and ends with its frames', async () => {
    const answer = streamed(three, { clock: clockByHand(), signal: never });
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    expect(await answer.text()).toBe(
      [
        'retry: 2000\n\n',
        'id: 1\nevent: step\ndata: {"n":1}\n\n',
        'id: 2\nevent: step\ndata: {"n":2}\n\n',
        'id: 3\nevent: step\ndata: {"n":3}\n\n',
      ].join(''),
    );
  });

  test('says that it is still there when nothing happens', async () => {
    const clock = clockByHand();
    const reader = streamed(oneThenSilence, { clock, signal: never, heartbeatMs: 15, stallMs: 30 }).body?.getReader();
    expect(textOf((await reader?.read())?.value)).toContain('retry');
    expect(textOf((await reader?.read())?.value)).toContain('"n":1');
    const next = reader?.read();
    await settle();
    clock.pass(15);
    expect(textOf((await next)?.value)).toBe(': still there\n\n');
    await reader?.cancel();
  });

  test('reads nothing ahead of its reader', async () => {
    let made = 0;
    async function* frames(): AsyncGenerator<Uint8Array, void, undefined> {
      for (;;) {
        made += 1;
        yield frame('step', { made });
      }
    }
    const reader = streamed(frames, { clock: clockByHand(), signal: never }).body?.getReader();
    for (let i = 0; i < 4; i += 1) await reader?.read();
    await settle();
    expect(made).toBeLessThanOrEqual(4);
    await reader?.cancel();
  });

  test('cuts a reader off that takes nothing for too long', async () => {
    const clock = clockByHand();
    const reader = streamed(three, { clock, signal: never, heartbeatMs: 15, stallMs: 30 }).body?.getReader();
    await reader?.read();
    await reader?.read();
    clock.pass(30);
    await settle();
    clock.pass(30);
    await settle();
    await expect(reader?.read()).rejects.toThrow('does not take');
  });

  test('lets go of its source when the reader leaves', async () => {
    let isOver = false;
    const source = async function* (signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
      yield* oneThenSilence(signal);
      isOver = true;
    };
    const reader = streamed(source, { clock: clockByHand(), signal: never }).body?.getReader();
    await reader?.read();
    await reader?.read();
    const next = reader?.read();
    await settle();
    await reader?.cancel();
    expect((await next)?.done).toBe(true);
    await settle();
    expect(isOver).toBe(true);
  });

  test.each<
    [
      string,
      (
        answer: Response,
        ways: { readonly clock: ReturnType<typeof clockByHand>; readonly until: AbortController },
      ) => Promise<unknown>,
    ]
  >([
    ['read to its end', async (answer) => await answer.text()],
    [
      'left',
      async (answer) => {
        const reader = answer.body?.getReader();
        await reader?.read();
        await reader?.cancel();
      },
    ],
    ['left before anything was read', async (answer) => await answer.body?.cancel()],
    ['ended by us, with nobody who reads', async (_, { until }) => until.abort()],
    [
      'cut off',
      async (_, { clock }) => {
        clock.pass(30);
        await settle();
      },
    ],
  ])('tells once that it is over when it is %s', async (_, end) => {
    const [clock, until] = [clockByHand(), new AbortController()];
    let times = 0;
    const onOver = (): void => void (times += 1);
    const answer = streamed(three, { clock, signal: until.signal, onOver, heartbeatMs: 15, stallMs: 30 });
    expect(times).toBe(0);
    await end(answer, { clock, until });
    expect(times).toBe(1);
    until.abort();
    clock.pass(30);
    await settle();
    expect(times).toBe(1);
  });

  test('tells that it is over when its source breaks, and looks after it no more', async () => {
    const clock = clockByHand();
    let times = 0;
    async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
      yield frame('step', { n: 1 }, 1);
      throw new TypeError('the journal is gone');
    }
    const answer = streamed(broken, {
      clock,
      signal: never,
      onOver: () => void (times += 1),
      heartbeatMs: 15,
      stallMs: 30,
    });
    await expect(answer.text()).rejects.toThrow('the journal is gone');
    expect(times).toBe(1);
    expect(clock.waiting()).toBe(0);
  });

  test('is over at once where its time was over before it began', async () => {
    let times = 0;
    streamed(three, { clock: clockByHand(), signal: AbortSignal.abort(), onOver: () => void (times += 1) });
    expect(times).toBe(1);
    await settle();
    expect(times).toBe(1);
  });

  test('ends when its time is over, so that whoever watches asks again', async () => {
    const until = new AbortController();
    const answer = streamed(oneThenSilence, { clock: clockByHand(), signal: until.signal });
    const text = answer.text();
    await settle();
    until.abort();
    expect(await text).toBe('retry: 2000\n\nid: 1\nevent: step\ndata: {"n":1}\n\n');
  });
});
