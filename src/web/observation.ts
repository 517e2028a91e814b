import type { RunEvent, Verdict } from './types.ts';

/** Milliseconds are since the epoch where the name ends in `At`. */
export interface Finding {
  readonly verdict: Verdict;
  readonly reason: string;
  readonly fromAt: number;
}

/** How a stack did in the time after its run. */
export interface Observed {
  readonly startedAt: number;
  readonly untilAt: number;
  /** By subject, in the order in which they were named: every change of its verdict. Empty: not measured yet. */
  readonly subjects: ReadonlyMap<string, readonly Finding[]>;
  readonly ended?: { readonly outcome: string; readonly reason: string; readonly at: number };
}

type ObservationEvent = Extract<RunEvent, { readonly type: `observation.${string}` }>;

/** What an event says of the time after the run. Pure. */
export function observed(
  { observation: before, lastAt }: { readonly observation?: Observed; readonly lastAt?: number },
  event: ObservationEvent,
): { readonly observation?: Observed } {
  const at = Date.parse(event.time);
  switch (event.type) {
    case 'observation.started': {
      const { startedAt = at, subjects: known = new Map<string, readonly Finding[]>() } = before ?? {};
      const named = event.subjects.map((name) => [name, withGap(known.get(name) ?? [], lastAt ?? at)] as const);
      const gone = [...known].filter(([name]) => !event.subjects.includes(name));
      return { observation: { startedAt, untilAt: Date.parse(event.until), subjects: new Map([...named, ...gone]) } };
    }
    case 'observation.changed': {
      if (before === undefined) return {};
      const { subject, verdict, reason } = event;
      const findings = [...(before.subjects.get(subject) ?? []), { verdict, reason, fromAt: at }];
      return { observation: { ...before, subjects: new Map(before.subjects).set(subject, findings) } };
    }
    case 'observation.ended': {
      if (before === undefined) return {};
      const { outcome, reason } = event;
      return { observation: { ...before, ended: { outcome, reason, at } } };
    }
  }
}

/** Nobody knows how it was between the last word of the process that watched and the one that goes on. */
function withGap(findings: readonly Finding[], fromAt: number): readonly Finding[] {
  const last = findings.at(-1);
  if (last === undefined || last.verdict === 'unknown') return findings;
  return [...findings, { verdict: 'unknown', reason: 'nobody watched until it was taken up again', fromAt }];
}
