import { useNow } from '../live.ts';
import type { ScheduleView } from '../types.ts';
import { deedInWords, standingOf } from '../upkeep.ts';
import { count, everyInWords } from '../words.ts';
import { Ago, Badge, Section } from './basics.tsx';

/** What the service does to a stack by itself: when next, and how it went the last time. */
export function Schedules({ schedules }: { schedules: readonly ScheduleView[] }) {
  return (
    <Section title="By itself" aside={count(schedules.length, 'schedule')}>
      <ul class="health">
        {schedules.map((schedule) => (
          <ScheduleLine key={schedule.name} schedule={schedule} />
        ))}
      </ul>
    </Section>
  );
}

function ScheduleLine({ schedule }: { schedule: ScheduleView }) {
  const { name, do: deed, everyMs, last, succeededAt } = schedule;
  return (
    <li>
      {last === undefined ? <Badge word="not yet" tone="unknown" /> : <Badge word={last.outcome} />}
      <span class="object">
        <strong>{name}</strong> {deedInWords(deed)} {everyInWords(everyMs)}
      </span>
      <span class="soft">
        {last === undefined ? null : (
          <>
            last <Ago at={last.at} />
            {' · '}
          </>
        )}
        <Next schedule={schedule} />
      </span>
      {last === undefined || last.outcome === 'succeeded' ? null : (
        <span class="line">
          <span class="bad">{last.message ?? 'Nobody knows how it went.'}</span>{' '}
          {last.code === undefined ? null : <code>{last.code}</code>}{' '}
          <span class="soft">
            {succeededAt === undefined ? (
              'It never went well.'
            ) : (
              <>
                It last went well <Ago at={succeededAt} />.
              </>
            )}
          </span>
        </span>
      )}
    </li>
  );
}

function Next({ schedule }: { schedule: ScheduleView }) {
  const now = useNow(10_000);
  const { nextAt = '' } = schedule;
  switch (standingOf(schedule, now)) {
    case 'at work':
      return <Badge word="at it now" tone="busy" />;
    case 'unseen':
      return <span class="unproven">no service has seen it yet</span>;
    case 'ahead':
      return (
        <>
          next <Ago at={nextAt} />
        </>
      );
    case 'overdue':
      return (
        <>
          <Badge word="overdue" tone="warn" /> since <Ago at={nextAt} />: a run is not over, or no service is at it
        </>
      );
  }
}
