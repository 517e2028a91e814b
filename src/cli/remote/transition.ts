import { resolve } from 'node:path';
import { readPlan } from '../../actions/plan-file.ts';
import type { NothingToDo, PlanAnswer, RunAsked, RunStarted } from '../../client/index.ts';
import { BackstayError } from '../../errors/index.ts';
import type { Plan, PlanOptions } from '../../model/index.ts';
import { withChoices } from '../choices.ts';
import type { Invocation, Remote, RemoteRun } from '../commands.ts';
import { confirmByName } from '../confirm.ts';
import { abandonOf, onInvalidOf, planOptionsOf, scopeOf, targetOf, textOf, triggerOf } from '../plan-options.ts';
import { planFileOf, tellPlan } from '../plan-source.ts';
import { renderPlan } from '../render/plan.ts';
import { refuseLocal } from './dispatch.ts';
import { followRun, tellRemoteEnd } from './follow.ts';

export const rollback: RemoteRun = async (invocation, remote) => await takeTo(invocation, remote, true);

export const apply: RemoteRun = async (invocation, remote) => await takeTo(invocation, remote, false);

async function takeTo(invocation: Invocation, remote: Remote, hold: boolean): Promise<number> {
  const { args, options: given, terminal } = invocation;
  const [stack = ''] = args;
  refuseLocal(invocation, 'timeout', 'replan', 'listVersions');
  const [file] = planFileOf(given);
  const target = targetOf(given);
  const options = planOptionsOf(given, hold);
  refuseMoments(options);
  const asked = { scope: scopeOf(textOf(given['scope'])), options, ...onInvalidOf(given) };
  const wanted = target === undefined ? asked : { ...asked, target };
  const question = `${hold ? 'Roll back' : 'Release'} ${stack} by ${remote.client.server.origin}?`;
  return await carryAcross(invocation, remote, {
    stack,
    question,
    plan: async () =>
      file === undefined
        ? await withChoices(terminal, async () => await remote.client.plan(stack, wanted))
        : { kind: 'planned', plan: await readPlan(resolve(terminal.cwd, file), remote.files) },
    start: async (plan) => {
      const run: RunAsked = { plan: plan.hash, trigger: triggerOf(given), ...abandonOf(given) };
      return await remote.client.start(run);
    },
  });
}

/** A copy of a server is made for one, which takes longer than a request should. */
function refuseMoments({ data }: PlanOptions): void {
  const moment = Object.entries(data?.restore ?? {}).find(([, backup]) => backup.startsWith('@'));
  if (moment === undefined) return;
  throw new BackstayError('REMOTE_UNSUPPORTED', `A service restores backups, and no moment such as ${moment[1]}.`, {
    next: `Make it a backup where the stack file is: \`backstay db backup STACK ${moment[0]} --at TIME\`.`,
  });
}

export const undo: RemoteRun = async (invocation, remote) => {
  const { args, options: given } = invocation;
  const [run = ''] = args;
  refuseLocal(invocation, 'timeout');
  const reason = textOf(given['reason']);
  const asked = {
    options: planOptionsOf(given, false),
    ...onInvalidOf(given),
    ...(reason === undefined ? {} : { reason }),
  };
  const { stack } = await remote.client.run(run);
  return await carryAcross(invocation, remote, {
    stack,
    question: `Take ${stack} by ${remote.client.server.origin} back to before run ${run}?`,
    plan: async () => ({ kind: 'planned', plan: await remote.client.planUndo(run, asked) }),
    start: async ({ hash }) => await remote.client.undo(run, { ...asked, plan: hash }),
  });
};

interface Transition {
  readonly stack: string;
  readonly question: string;
  readonly plan: () => Promise<PlanAnswer>;
  readonly start: (plan: Plan) => Promise<RunStarted | NothingToDo>;
}

/** As `carryAcross` of a stack on this machine: planned, shown, agreed to, carried out, told. */
async function carryAcross(invocation: Invocation, remote: Remote, transition: Transition): Promise<number> {
  const { options, terminal } = invocation;
  const dryRun = options['dryRun'] === true;
  const out = textOf(options['out']);
  const yes = options['yes'] === true;
  if (out !== undefined && !dryRun)
    throw new BackstayError('USAGE', '--out writes a plan for later: it goes with --dry-run.');
  if (!dryRun && !yes && !terminal.stdinIsTty)
    throw new BackstayError('CONFIRMATION_NEEDED', `${transition.question} There is no terminal to ask for a yes.`);
  const planned = await transition.plan();
  if (dryRun || planned.kind === 'nothing-to-do') {
    await tellPlan(planned, out, { stack: { name: transition.stack }, files: remote.files }, terminal);
    return 0;
  }
  terminal.note(renderPlan(planned.plan, terminal.err));
  for (const warning of planned.warnings ?? []) terminal.note(terminal.err.warn(warning));
  if (!yes) await confirmByName(terminal, transition.stack, transition.question);
  const started = await transition.start(planned.plan);
  if ('kind' in started) {
    const { target } = planned.plan;
    await tellPlan(
      { kind: started.kind, target },
      undefined,
      { stack: { name: transition.stack }, files: remote.files },
      terminal,
    );
    return 0;
  }
  return await attend({ run: started.run, untilWaiting: options['wait'] !== true }, invocation, remote);
}

export const resume: RemoteRun = async (invocation, remote) => {
  const { args, options, terminal } = invocation;
  const [run = ''] = args;
  const { stack, sequence } = await remote.client.run(run);
  if (options['yes'] !== true) await confirmByName(terminal, stack, `Go on with run ${run} of ${stack}?`);
  const { state } = await remote.client.resume(run);
  const waits = state === 'waiting' && options['wait'] !== true;
  if (waits) return tellRemoteEnd(await remote.client.run(run), invocation);
  return await attend({ run, after: sequence }, invocation, remote);
};

/** The first Ctrl-C asks the service to stop the run between two steps, the second one only stops looking. */
async function attend(
  following: { readonly run: string; readonly after?: number; readonly untilWaiting?: boolean },
  invocation: Invocation,
  remote: Remote,
): Promise<number> {
  const { process, terminal } = invocation;
  const leave = new AbortController();
  let stopping: Promise<void> | undefined;
  const warn = (text: string): void => terminal.note(terminal.err.warn(text));
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping !== undefined) {
      leave.abort(signal);
      return;
    }
    warn(`${signal}: asking the service to stop after the step under way. Once more stops the looking, not the run.`);
    stopping = remote.client
      .cancel(following.run, `${signal} of the command that asked for it`)
      .catch((error: unknown) =>
        warn(`it could not be asked: ${error instanceof Error ? error.message : String(error)}`),
      );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const seen = await followRun({ ...following, signal: leave.signal }, invocation, remote);
    if (seen !== undefined) return tellRemoteEnd(seen, invocation);
    terminal.note(`stopped looking; the service goes on. See it with: backstay watch ${following.run}`);
    return leave.signal.reason === 'SIGTERM' ? 143 : 130;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    await stopping;
  }
}
