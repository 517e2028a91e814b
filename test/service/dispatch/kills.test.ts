import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fold } from '../../../src/journal/index.ts';
import type { ServiceStore } from '../../../src/ports/index.ts';
import { type Machines, machines } from './machines.ts';

/** A service that dies around its nth write, before it or once it is there; from then on it writes nothing. */
function dyingAt(store: ServiceStore, nth: number, when: 'before' | 'after'): ServiceStore {
  let writes = 0;
  const around = async <T>(write: () => Promise<T>): Promise<T> => {
    writes += 1;
    if (writes > nth || (writes === nth && when === 'before')) throw new Error('killed');
    const done = await write();
    if (writes === nth) throw new Error('killed');
    return done;
  };
  return {
    ...store,
    put: async (kind, key, expected, value) => await around(async () => await store.put(kind, key, expected, value)),
    remove: async (kind, key, expected) => await around(async () => await store.remove(kind, key, expected)),
  };
}

/** Looks until every run is over, with time passing as the looks say. */
async function toTheEnd(
  here: Machines,
  service: ReturnType<Machines['service']>,
  runs: readonly string[],
): Promise<void> {
  const isOver = (run: string): boolean =>
    fold(here.journal.entries.filter((entry) => entry.run === run)).ended !== undefined;
  await here.until(async () => {
    const due = await service.look();
    if (due !== undefined) here.clock.advance(Math.max(0, due - here.clock.now()));
    return runs.every(isOver);
  });
  await here.until(async () => {
    await service.look();
    return (await here.records.list('claim')).length === 0;
  });
}

test('wherever a service is killed, its runs are carried to their end, and one process acts at a time', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        deaths: fc.array(fc.record({ nth: fc.integer({ min: 1, max: 6 }), when: fc.constantFrom('before', 'after') }), {
          minLength: 1,
          maxLength: 3,
        }),
        sameMachine: fc.boolean(),
        processesDie: fc.boolean(),
        looks: fc.integer({ min: 1, max: 3 }),
      }),
      async ({ deaths, sameMachine, processesDie, looks }) => {
        const here = await machines();
        try {
          here.go();
          const runs = ['r1', 'r2'];
          for (const run of runs) await here.ask(run, { stack: run === 'r1' ? 's1' : 's2' });
          for (const [i, { nth, when }] of deaths.entries()) {
            const host = sameMachine ? 'm' : `m${i}`;
            const service = here.service(host, { runs: 4 }, dyingAt(here.records, nth, when));
            for (let look = 0; look < looks; look += 1) await service.look().catch(() => undefined);
            if (processesDie) here.kill(host);
            // The next one is not there at once.
            here.clock.advance(i * 20_000);
          }
          await toTheEnd(here, here.service(sameMachine ? 'm' : 'last'), runs);
          for (const run of runs) {
            const state = fold(here.journal.entries.filter((entry) => entry.run === run));
            expect([state.ended?.outcome, here.overlaps]).toEqual(['succeeded', []]);
            expect(here.acts.filter((act) => act.startsWith(`${run} `)).toSorted((a, b) => a.localeCompare(b))).toEqual(
              [`${run} a`, `${run} b`],
            );
          }
        } finally {
          await here.close();
        }
      },
    ),
    { numRuns: 40 },
  );
});
