import fc from 'fast-check';
import { expect, it } from 'vitest';
import { observed as observedInJournal } from '../../src/journal/observation.ts';
import type { Observation, RunEvent, RunEventBody } from '../../src/model/index.ts';
import { NOTHING_YET, withEvents } from '../../src/web/run-fold.ts';
import { RUN, STACK } from './support/story.ts';

const BEGAN = Date.parse('2026-11-21T03:15:00Z');

const subject = fc.constantFrom('watch errors', 'check catalogue', 'logs', 'neighbours billing');
const started: fc.Arbitrary<RunEventBody> = fc.uniqueArray(subject, { minLength: 1, maxLength: 4 }).map((subjects) => ({
  type: 'observation.started',
  until: '2026-11-21T03:45:00.000Z',
  subjects,
}));
const changed: fc.Arbitrary<RunEventBody> = fc.record({
  type: fc.constant('observation.changed'),
  subject,
  verdict: fc.constantFrom('pass', 'fail', 'unknown'),
  reason: fc.constantFrom('one', 'two'),
});
const ended: fc.Arbitrary<RunEventBody> = fc
  .constantFrom('quiet', 'disturbed', 'unmeasured', 'stopped')
  .map((outcome) => ({
    type: 'observation.ended',
    outcome,
    reason: 'its time is over',
  }));
const bodies: fc.Arbitrary<readonly RunEventBody[]> = fc
  .tuple(
    started,
    fc.array(
      fc.oneof({ weight: 1, arbitrary: started }, { weight: 5, arbitrary: changed }, { weight: 1, arbitrary: ended }),
      { maxLength: 20 },
    ),
  )
  .map(([first, others]) => named([first, ...others]));

const stampedOf = (told: readonly RunEventBody[]): readonly RunEvent[] =>
  told.map((one, i) => ({
    ...one,
    run: RUN,
    stack: STACK,
    sequence: i + 1,
    time: new Date(BEGAN + i * 1_000).toISOString(),
  }));

/** Of what was named when it began. */
function named(told: readonly RunEventBody[]): readonly RunEventBody[] {
  const known = new Set<string>();
  return told.filter((one) => {
    if (one.type === 'observation.started') for (const name of one.subjects) known.add(name);
    return one.type !== 'observation.changed' || known.has(one.subject);
  });
}

it('is to the page what it is to the journal, also when another process takes the watching up', () => {
  fc.assert(
    fc.property(bodies, (told) => {
      const events = stampedOf(told);
      let observation: Observation | undefined;
      let lastAt = events[0]?.time ?? '';
      for (const event of events) {
        ({ observation } = {
          ...(observation === undefined ? {} : { observation }),
          ...of(observation, lastAt, event),
        });
        lastAt = event.time;
      }
      expect(pageOf(events)).toEqual(observation);
    }),
  );
});

function of(before: Observation | undefined, lastAt: string, event: RunEvent): { readonly observation?: Observation } {
  return observedInJournal({ ...(before === undefined ? {} : { observation: before }), lastAt }, event);
}

/** What the page made of it, in the words of the model. */
function pageOf(events: readonly RunEvent[]): Observation | undefined {
  const { observation } = withEvents(NOTHING_YET, events);
  if (observation === undefined) return undefined;
  const { startedAt, untilAt, subjects, ended } = observation;
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    startedAt: iso(startedAt),
    until: iso(untilAt),
    subjects: [...subjects].map(([name, findings]) => ({
      name,
      findings: findings.map(({ fromAt, ...finding }) => ({ ...finding, at: iso(fromAt) })),
    })),
    ...(ended === undefined ? {} : { ended: { ...ended, at: iso(ended.at) } as NonNullable<Observation['ended']> }),
  };
}
