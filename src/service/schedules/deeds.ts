import { join } from 'node:path';
import type { Json, Schedule, Stack } from '../../model/index.ts';
import type { RunMark } from '../../ports/index.ts';
import type { ServiceDeps } from '../deps.ts';
import { problemIn } from '../dispatch/problem.ts';
import { documentIn, findDrill, startDrill } from '../drills.ts';
import { captureReached } from '../stacks/capture.ts';
import type { Outcome, Work } from './records.ts';

export type Ending = Omit<Outcome, 'at'>;

/** It is done, or a process of its own is at it. */
export type Begun =
  | { readonly kind: 'done'; readonly ending: Ending }
  | { readonly kind: 'at work'; readonly work: Work };

export type Followed =
  /** `isSeen`: its process is on this machine. */
  { readonly kind: 'at work'; readonly isSeen: boolean } | { readonly kind: 'done'; readonly ending: Ending };

const logOf = (stateDir: string, log: string): string => join(stateDir, 'schedules', `${log}.log`);

/** Who it is in journals and records. */
const userOf = ({ name }: Schedule): string => `schedule:${name}`;

/**
 * Does it, or starts the process that does. @throws what capturing throws, the signal's reason; STORE_UNKNOWN, TOOL_MISSING
 */
export async function begin(stack: Stack, schedule: Schedule, deps: ServiceDeps, signal: AbortSignal): Promise<Begun> {
  const by = userOf(schedule);
  switch (schedule.do) {
    case 'capture':
      return { kind: 'done', ending: await captured(stack.name, schedule, deps, signal) };
    case 'drill': {
      const named = schedule.store === undefined ? {} : { store: schedule.store };
      const { id } = await startDrill({ stack, backup: 'latest', by, ...named }, deps);
      return { kind: 'at work', work: { kind: 'drill', id } };
    }
    case 'finalize-expired': {
      const log = join(stack.name, schedule.name);
      // Of this time alone; one that is still at it keeps the file that it has open.
      await deps.files.write(logOf(deps.stateDir, log), '');
      const args = ['finalize', stack.name, '--expired', '--yes'];
      const options = { user: by, log: logOf(deps.stateDir, log), without: [] };
      const { mark } = await deps.processes.command(args, options);
      return { kind: 'at work', work: { kind: 'finalize', process: mark, log } };
    }
  }
}

async function captured(
  stack: string,
  schedule: Schedule & { readonly do: 'capture' },
  deps: ServiceDeps,
  signal: AbortSignal,
): Promise<Ending> {
  const note = schedule.reason === undefined ? {} : { note: schedule.reason };
  const { kind } = await deps.withStack(
    stack,
    { ...deps.by, user: userOf(schedule) },
    async (reached) => await captureReached({ signal, ...note }, reached, deps),
  );
  return kind === 'captured'
    ? { outcome: 'succeeded' }
    : { outcome: 'failed', message: `There was nothing of ${stack} to capture.` };
}

/** How what was begun goes on. */
export async function follow(stack: string, work: Work, deps: ServiceDeps): Promise<Followed> {
  return work.kind === 'drill' ? await followDrill(stack, work.id, deps) : await followFinalize(work, deps);
}

async function followDrill(stack: string, id: string, deps: ServiceDeps): Promise<Followed> {
  const found = await findDrill(stack, id, deps);
  if (found === undefined) return { kind: 'done', ending: { outcome: 'lost' } };
  const { drill, isSeen } = found;
  if (drill.state === 'running') return { kind: 'at work', isSeen };
  if (drill.state === 'proven') return { kind: 'done', ending: { outcome: 'succeeded' } };
  if (drill.state === 'lost') return { kind: 'done', ending: { outcome: 'lost' } };
  return { kind: 'done', ending: { outcome: 'failed', ...errorIn(drill.result) } };
}

async function followFinalize(
  { process, log }: { readonly process: RunMark; readonly log: string },
  { files, processes, stateDir }: ServiceDeps,
): Promise<Followed> {
  const where = await processes.find(process);
  if (where !== 'gone') return { kind: 'at work', isSeen: where === 'at work' };
  const bytes = await files.read(logOf(stateDir, log));
  return { kind: 'done', ending: endOfFinalize(bytes === undefined ? '' : new TextDecoder().decode(bytes)) };
}

/** What the log of `finalize --expired` says at its end. Pure. */
export function endOfFinalize(log: string): Ending {
  const problem = problemIn(lastDocument(log));
  if (problem !== undefined) return { outcome: 'failed', code: problem.code, message: problem.message };
  const isDone = log.split('\n').some((line) => documentIn(line).some(({ kind }) => kind === 'Expired'));
  return { outcome: isDone ? 'succeeded' : 'lost' };
}

/** A person's words may come after it. */
function lastDocument(log: string): string {
  return log.split('\n').findLast((line) => documentIn(line).length > 0) ?? '';
}

function errorIn(result: Json | undefined): Pick<Ending, 'code' | 'message'> {
  if (typeof result !== 'object' || result === null) return {};
  const { code, message } = result as { readonly code?: unknown; readonly message?: unknown };
  return {
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof message === 'string' ? { message } : {}),
  };
}
