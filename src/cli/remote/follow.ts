import { exitCodeOfRun } from '../../actions/watch.ts';
import { type Attending, attendRun, type RunSeen } from '../../client/index.ts';
import { BackstayError } from '../../errors/index.ts';
import type { Invocation, Remote } from '../commands.ts';
import { reporterOf, type RunOutcome, tellOutcome } from '../run-output.ts';

/** Tells a run on this terminal as its own process would. Gives it as it is at the end; undefined when the signal fired first. */
export async function followRun(
  following: Pick<Attending, 'run' | 'after' | 'signal' | 'untilWaiting'>,
  invocation: Invocation,
  { client }: Remote,
): Promise<RunSeen | undefined> {
  const { terminal } = invocation;
  const reporter = reporterOf(invocation);
  return await attendRun(client, {
    ...following,
    onEvent: (event) => reporter.report(event),
    onLost: (because) => terminal.note(terminal.err.warn(`${because} The run goes on; asking again.`)),
  });
}

/** Tells how it ended, or that it waits. Returns the exit code that the verb would have had. */
export function tellRemoteEnd(seen: RunSeen, { terminal }: Invocation): number {
  const { run, reason, code, next, undo, downtime, carried } = seen;
  if (carried?.stuck === true && seen.outcome === undefined) throw atALoss(seen);
  const outcome: RunOutcome = seen.outcome ?? 'waiting';
  const ended = {
    kind: 'ended' as const,
    run,
    outcome,
    exitCode: seen.exitCode ?? exitCodeOfRun({ outcome, ...(code === undefined ? {} : { code }) }),
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
    ...(next === undefined ? {} : { next }),
    ...(undo === undefined ? {} : { undo }),
    durationMs: Date.parse(seen.endedAt ?? new Date().toISOString()) - Date.parse(seen.startedAt),
  };
  const written = [...(downtime === undefined ? [] : [`  downtime  ${downtime}`]), `  report  backstay report ${run}`];
  return tellOutcome(ended, { ...ended, ...(downtime === undefined ? {} : { downtime }) }, written, terminal);
}

/** The service has tried, and waits for a person: what kept it, as the command would have said it. */
function atALoss({ run, carried }: RunSeen): BackstayError {
  const why = carried?.problem === undefined ? '' : `: ${carried.problem.code}: ${carried.problem.message}`;
  return new BackstayError('RUN_UNFINISHED', `The service cannot go on with run ${run}${why}.`, {
    next: `Mend what it names, then run \`backstay resume ${run}\`.`,
    details: { run, ...carried?.problem },
  });
}
