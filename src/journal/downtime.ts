import type { ProbeVerdict } from '../model/index.ts';
import type { RunState } from './state.ts';

/** Half open, in milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly verdict: ProbeVerdict;
  readonly reason: string;
}

/** What one probe saw of one run. The three sums make up `measuredMs`; nothing is counted twice or left out. */
export interface Downtime {
  readonly probe: string;
  /** Milliseconds from the run's creation to its end, or to the last that is known of it. */
  readonly measuredMs: number;
  readonly upMs: number;
  readonly downMs: number;
  /** Nobody could measure: never counted as up. */
  readonly unknownMs: number;
  /** Without gaps and in order, neighbours always of different verdicts. */
  readonly spans: readonly Span[];
}

type Measured = Pick<RunState, 'probes' | 'startedAt' | 'workedAt' | 'ended'>;

/** From the journal alone: for each probe, by its first answer's order, how long it was up, down and unknown. */
export function downtimeOf(state: Measured): readonly Downtime[] {
  const start = Date.parse(state.startedAt);
  // A run without an end may be dead: after the last sign of it nothing is known, and that is not part of the run.
  const end = Math.max(start, Date.parse(state.ended?.at ?? state.workedAt));
  const names = [...new Set(state.probes.map(({ name }) => name))];
  return names.map((probe) => {
    const found = state.probes.filter(({ name }) => name === probe);
    const spans = spansOf(found, start, end);
    const sum = (verdict: ProbeVerdict): number =>
      spans.reduce((total, span) => total + (span.verdict === verdict ? span.to - span.from : 0), 0);
    return {
      probe,
      measuredMs: end - start,
      upMs: sum('up'),
      downMs: sum('down'),
      unknownMs: sum('unknown'),
      spans,
    };
  });
}

function spansOf(found: Measured['probes'], start: number, end: number): readonly Span[] {
  const spans: Span[] = [];
  const add = (span: Span): void => {
    const last = spans.at(-1);
    if (span.to <= span.from) return;
    if (last?.verdict === span.verdict) spans[spans.length - 1] = { ...last, to: span.to };
    else spans.push(span);
  };
  // An answer that was due before the run began counts from its beginning, and none goes back behind the one before.
  let from = start;
  let now: Pick<Span, 'verdict' | 'reason'> = { verdict: 'unknown', reason: 'not measured yet' };
  for (const { at, verdict, reason } of found) {
    const to = Math.min(end, Math.max(from, Date.parse(at)));
    add({ from, to, ...now });
    from = to;
    now = { verdict, reason };
  }
  add({ from, to: end, ...now });
  return spans;
}
