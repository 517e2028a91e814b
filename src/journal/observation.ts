import type { Observation, ObservedFinding, ObservedSubject, RunEvent } from '../model/index.ts';
import type { RunState } from './state.ts';

/** What an event says of the time after the run; nothing for every other event. Pure. */
export function observed(
  { observation: before, lastAt }: Pick<RunState, 'observation' | 'lastAt'>,
  event: RunEvent,
): Pick<RunState, 'observation'> {
  switch (event.type) {
    case 'observation.started': {
      const fresh = event.subjects.map((name): ObservedSubject => ({ name, findings: [] }));
      const started = { startedAt: event.time, until: event.until, subjects: fresh };
      return { observation: before === undefined ? started : takenUp(before, started, lastAt) };
    }
    case 'observation.changed': {
      if (before === undefined) return {};
      const { subject, verdict, reason, time: at } = event;
      return { observation: withFinding(before, subject, { verdict, reason, at }) };
    }
    case 'observation.ended': {
      if (before === undefined) return {};
      const { outcome, reason, time: at } = event;
      return { observation: { ...before, ended: { outcome, reason, at } } };
    }
    default:
      return {};
  }
}

/** Nobody knows how it was between the last word of the process that watched and the one that goes on. */
function takenUp(before: Observation, now: Observation, lastAt: string): Observation {
  const gap: ObservedFinding = { verdict: 'unknown', reason: 'nobody watched until it was taken up again', at: lastAt };
  const known = new Map(before.subjects.map((subject) => [subject.name, subject]));
  const kept = now.subjects.map(({ name }): ObservedSubject => {
    const { findings = [] } = known.get(name) ?? {};
    return {
      name,
      findings: findings.length === 0 || findings.at(-1)?.verdict === 'unknown' ? findings : [...findings, gap],
    };
  });
  const gone = before.subjects.filter(({ name }) => !now.subjects.some((one) => one.name === name));
  return { startedAt: before.startedAt, until: now.until, subjects: [...kept, ...gone] };
}

function withFinding(before: Observation, subject: string, finding: ObservedFinding): Observation {
  return {
    ...before,
    subjects: before.subjects.map((one) =>
      one.name === subject ? { ...one, findings: [...one.findings, finding] } : one,
    ),
  };
}
