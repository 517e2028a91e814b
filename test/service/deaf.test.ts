import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Loop, LOOPS, type LoopDeps } from '../../src/service/loops.ts';
import { type TestService, testService } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await testService();
});
afterAll(async () => await service.close());

const FOLLOWING = ['dispatch', 'triggers', 'notices of proposals', 'outbox'];
const loops = LOOPS.filter(({ name }) => FOLLOWING.includes(name)).map((loop) => [loop.name, loop] as const);

/** What would end a service: an error that nobody awaits when it comes. */
const unheard = vi.fn<(error: unknown) => void>();

test('each of them is there', () => expect(loops).toHaveLength(FOLLOWING.length));

test.each(loops)(
  '%s fails as a loop, not as a process, when it goes deaf while it reads',
  async (_name, loop: Loop) => {
    const listed = Promise.withResolvers<readonly []>();
    const { records } = service.deps;
    const follow: typeof records.follow = () => ({
      [Symbol.asyncIterator]: () => ({ next: async () => await Promise.reject(new Error('deaf')) }),
    });
    const list = async (): Promise<readonly []> => await listed.promise;
    const deaf = Object.assign(Object.create(records) as typeof records, { follow, list });
    const stop = new AbortController();
    const deps = { ...service.deps, records: deaf, settings: { limits: { runs: 1 } }, log: () => undefined };
    const before = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection').on('unhandledRejection', unheard);
    try {
      const work = loop.start(deps as unknown as LoopDeps, stop.signal);
      const ended = work.catch((error: unknown) => error);
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      listed.resolve([]);
      expect(await ended).toMatchObject({ message: 'deaf' });
    } finally {
      stop.abort();
      process.removeAllListeners('unhandledRejection');
      for (const listener of before) process.on('unhandledRejection', listener);
    }
    expect(unheard).not.toHaveBeenCalled();
  },
);
