import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '../../../src/model/index.ts';
import type { ServiceDeps } from '../../../src/service/deps.ts';
import { Scheduler } from '../../../src/service/schedules/scheduler.ts';
import { type Planning, planning } from '../../actions/planning.ts';
import { aStackFile, type TestService, testService } from '../../support/service.ts';
import { configMap } from '../../support/snapshots.ts';
import { handClock } from '../notify/support/hand-clock.ts';
import { HOUR, HOURLY, look } from './world.ts';

let service: TestService;
let real: Planning;

const app = (backend: string): KubeObject => configMap('app', { BACKEND: backend }, real.namespace);

beforeAll(async () => {
  real = await planning();
  const settings = `  backstay:schedules:\n    - ${HOURLY}\n`;
  service = await testService({ stacks: { demo: aStackFile(settings, real.namespace) } });
  await real.make(app('fast'));
});
afterAll(async () => await Promise.all([service.close(), real.remove()]));

test('a schedule captures what lives, for the reason that it gives, time after time', async () => {
  const deps: ServiceDeps = {
    ...service.deps,
    withStack: async (name, by, work) =>
      await service.deps.withStack(name, by, async (reached) => {
        const { stack, store } = real.place;
        return await work({ ...reached, stack, store, planDeps: async () => await Promise.resolve(real.deps) });
      }),
  };
  const clock = handClock();
  const stop = new AbortController();
  const one = { scheduler: new Scheduler({ ...deps, clock, log: () => undefined }, 'a', stop.signal), stop };
  const captured = async (): Promise<readonly unknown[]> => {
    const snapshots: unknown[] = [];
    for (const entry of await real.place.store.list('demo')) {
      if (!('record' in entry)) throw new TypeError('a damaged snapshot');
      const { content } = await real.place.store.get('demo', entry.record.id);
      snapshots.push([entry.record.note, content.objects.map(({ data }) => data)]);
    }
    return snapshots;
  };
  await look(one);
  expect(await captured()).toEqual([]);
  clock.advance(HOUR);
  await look(one);
  expect(await captured()).toEqual([['every hour', [{ BACKEND: 'fast' }]]]);
  await real.put(app('slow'));
  clock.advance(HOUR);
  await look(one);
  expect(await captured()).toEqual([
    ['every hour', [{ BACKEND: 'slow' }]],
    ['every hour', [{ BACKEND: 'fast' }]],
  ]);
});
