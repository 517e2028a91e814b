import { BackstayError } from '../errors/index.ts';
import { advance, type JournalEntry, type RunState } from '../journal/index.ts';
import type { Outcome, RunEvent } from '../model/index.ts';
import type { JournalStore, Reporter } from '../ports/index.ts';
import { exitCodeOf } from '../rollback/index.ts';

export interface WatchOptions {
  readonly run: string;
  /** Ends the watching; the run does not notice. */
  readonly signal: AbortSignal;
  /** Called once, with what is known before anything new is waited for. */
  readonly onCaughtUp?: (state: RunState) => void;
}

export type WatchResult =
  | {
      readonly kind: 'ended';
      readonly run: string;
      readonly outcome: Outcome;
      readonly exitCode: number;
      readonly reason?: string;
      readonly code?: string;
      /** The command that goes on, where a person is needed. */
      readonly next?: string;
      readonly durationMs: number;
    }
  /** The signal fired first. */
  | { readonly kind: 'stopped'; readonly run: string };

/**
 * Tells the events of a run, those that were and each new one, until it ends, whoever carries it and wherever. Writes
 * nothing. @throws RUN_UNKNOWN, JOURNAL_BROKEN, JOURNAL_UNREACHABLE
 */
export async function watch(
  { run, signal, onCaughtUp }: WatchOptions,
  { journal, reporter }: { readonly journal: JournalStore; readonly reporter: Reporter },
): Promise<WatchResult> {
  const known = (await journal.read(run)).length;
  if (known === 0) {
    throw new BackstayError('RUN_UNKNOWN', `There is no run ${run === '' ? 'without an id' : run}.`, {
      next: 'Run `backstay history` to list the runs.',
    });
  }
  let state: RunState | undefined;
  let isTold = false;
  for await (const entry of journal.follow(run, 0, signal)) {
    state = advance(state, entry);
    if (entry.kind === 'event') reporter.report(entry.event);
    isTold = isEnd(entry) || (isTold && entry.kind !== 'resumed');
    if (entry.sequence === known && state.ended === undefined) onCaughtUp?.(state);
  }
  if (state?.ended === undefined) return { kind: 'stopped', run };
  // Its process may have been killed after the end was stored and before it was told.
  if (!isTold) reporter.report(endEvent(state, state.ended));
  return ended(state, state.ended);
}

/** What a command exits with that told of a run's end, wherever the run was carried. */
export function exitCodeOfRun(result: Parameters<typeof exitCodeOf>[0]): number {
  return exitCodeOf(result);
}

function isEnd(entry: JournalEntry): boolean {
  return entry.kind === 'event' && entry.event.type === 'run.ended';
}

type Ended = NonNullable<RunState['ended']>;

function endEvent(state: RunState, { outcome, reason, at }: Ended): RunEvent {
  const { run, stack, eventSequence } = state;
  return {
    run,
    stack,
    sequence: eventSequence + 1,
    time: at,
    type: 'run.ended',
    outcome,
    ...(reason === undefined ? {} : { reason }),
    durationMs: Date.parse(at) - Date.parse(state.startedAt),
  };
}

function ended(state: RunState, { outcome, reason, code, at }: Ended): WatchResult {
  const { run, turn, startedAt } = state;
  const signal = turn?.signal === undefined ? {} : { signal: turn.signal };
  const why = { ...(reason === undefined ? {} : { reason }), ...(code === undefined ? {} : { code }) };
  return {
    kind: 'ended',
    run,
    outcome,
    exitCode: exitCodeOf({ outcome, ...why, ...signal }),
    ...why,
    ...(outcome === 'mixed' ? { next: `backstay resume ${run}` } : {}),
    durationMs: Date.parse(at) - Date.parse(startedAt),
  };
}
