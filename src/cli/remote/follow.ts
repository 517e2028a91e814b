import { exitCodeOfRun } from '../../actions/watch.ts';
import type { RunSeen } from '../../client/index.ts';
import type { Invocation, Remote } from '../commands.ts';
import { reporterOf, type RunOutcome, tellOutcome } from '../run-output.ts';

export interface Following {
  readonly run: string;
  /** The journal's last entry that was seen: only what comes after it is told. */
  readonly after?: number;
  /** Ends the looking; the run goes on. */
  readonly signal: AbortSignal;
  /** Ends the looking when the run waits for a person. */
  readonly untilWaiting?: boolean;
}

/** Milliseconds between two looks at a run that a service has not begun yet. */
const LOOK = 500;

/**
 * Tells the events of a run as its own process would, over lost connections, until it is over. Gives the run as it is then;
 * undefined when the signal fired first.
 */
export async function followRun(
  { run, after, signal, untilWaiting = false }: Following,
  invocation: Invocation,
  { client }: Remote,
): Promise<RunSeen | undefined> {
  const { terminal } = invocation;
  const reporter = reporterOf(invocation);
  let seen = after;
  for (;;) {
    const events = client.events(run, {
      signal,
      ...(seen === undefined ? {} : { after: String(seen) }),
      onLost: (because) => terminal.note(terminal.err.warn(`${because} The run goes on; asking again.`)),
    });
    for await (const { id, event } of events) {
      seen = Number(id);
      reporter.report(event);
      if (untilWaiting && event.type === 'approval.needed' && event.when === 'before') break;
    }
    if (signal.aborted) return undefined;
    const now = await client.run(run);
    // A mixed run that was asked to go on is over until somebody has begun with it.
    if (now.outcome === undefined || now.sequence > (after ?? 0)) return now;
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

/** Tells how it ended, or that it waits. Returns the exit code that the verb would have had. */
export function tellRemoteEnd(seen: RunSeen, { terminal }: Invocation): number {
  const { run, reason, code, next, undo, downtime } = seen;
  const outcome: RunOutcome = seen.outcome ?? 'waiting';
  const ended = {
    kind: 'ended',
    run,
    outcome,
    exitCode: seen.exitCode ?? exitCodeOfRun({ outcome, ...(code === undefined ? {} : { code }) }),
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
    ...(next === undefined ? waitingNext(seen) : { next }),
    ...(undo === undefined ? {} : { undo }),
    durationMs: Date.parse(seen.endedAt ?? new Date().toISOString()) - Date.parse(seen.startedAt),
  };
  const written = [...(downtime === undefined ? [] : [`  downtime  ${downtime}`]), `  report  backstay report ${run}`];
  return tellOutcome(ended, { ...ended, ...(downtime === undefined ? {} : { downtime }) }, written, terminal);
}

function waitingNext({ outcome, run }: RunSeen): { readonly next?: string } {
  return outcome === undefined ? { next: `backstay approve ${run}` } : {};
}
