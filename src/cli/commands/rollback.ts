import { type Composition, planDepsOf, runDepsOf } from '../../compose.ts';
import type { PlanOptions } from '../../model/index.ts';
import type { CommandRun, Invocation } from '../commands.ts';
import { renderChoices, withChoices } from '../choices.ts';
import { confirmByName } from '../confirm.ts';
import { onInvalidOf, planOptionsOf, scopeOf, targetOf, textOf } from '../plan-options.ts';
import { planFileOf, planFromFile } from '../plan-source.ts';
import { reporterOf, stackOf, tellEnd } from '../run-output.ts';
import { stopSignals } from '../signals.ts';
import { carryAcross } from '../transition.ts';
import { withStack } from '../with-stack.ts';
import { stoppable } from './db.ts';

export const rollback: CommandRun = async (invocation) => await takeTo(invocation, true);

/** The same transition with nothing called failing: for a release, or for making a stack from manifests. */
export const apply: CommandRun = async (invocation) => await takeTo(invocation, false);

async function takeTo(invocation: Invocation, hold: boolean): Promise<number> {
  const { args, options: given, terminal } = invocation;
  if (given['listVersions'] === true) return await listVersions(invocation);
  const [stack = ''] = args;
  const scope = scopeOf(textOf(given['scope']));
  const options = planOptionsOf(given, hold);
  const target = targetOf(given);
  const [file, replan] = planFileOf(given);
  const onInvalid = onInvalidOf(given);
  const { planRollback } = await import('../../actions/plan.ts');
  return await carryAcross(invocation, {
    stack,
    what: `A ${hold ? 'rollback' : 'release'} of ${stack}`,
    options,
    ...(file === undefined ? {} : { said: true as const }),
    plan: async ({ composition, deps, requireFinished }) => {
      await requireFinished();
      const exact = file === undefined ? await recovered(options, composition, invocation) : options;
      const wanted = { target, scope, options: exact, ...onInvalid };
      const planned =
        file === undefined
          ? await withChoices(terminal, async () => await planRollback(wanted, deps))
          : await planFromFile({ file, replan, hold }, composition, deps, terminal);
      return planned.kind === 'planned' ? { ...planned, identity: planned.inventory.identity } : planned;
    },
    question: (where) => `${hold ? 'Roll back' : 'Release'} ${stack} on ${where}?`,
  });
}

/** A moment of the past is made a backup before anything is planned; Ctrl-C ends that and leaves nothing. */
async function recovered(options: PlanOptions, composition: Composition, invocation: Invocation): Promise<PlanOptions> {
  if (options.data?.restore === undefined) return options;
  const { withMoments } = await import('../../actions/db-past.ts');
  const tell = (message: string): void => invocation.terminal.note(message);
  return await stoppable(
    invocation,
    async (signal) =>
      await withMoments(options, async () => await composition.dataStores(), {
        stack: composition.stack.name,
        tell,
        signal,
      }),
  );
}

export const resume: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const [id = ''] = args;
  const stack = await stackOf(id, invocation);
  const { resume: run } = await import('../../actions/resume.ts');
  return await withStack(invocation, stack, async (composition) => {
    if (options['yes'] !== true) await confirmByName(terminal, stack, `Go on with run ${id} of ${stack}?`);
    const signals = stopSignals(invocation.process, (line) => terminal.note(terminal.err.warn(line)));
    try {
      const deps = await runDepsOf(composition, reporterOf(invocation));
      const wait = options['wait'] === true;
      return tellEnd(await run({ run: id, wait, signal: signals.stop, abort: signals.abort }, deps), invocation);
    } finally {
      signals.release();
    }
  });
};

async function listVersions(invocation: Invocation): Promise<number> {
  const { args, terminal } = invocation;
  const { listTargets } = await import('../../actions/targets.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const { choices, damaged } = await listTargets(await planDepsOf(composition));
    terminal.result('TargetList', { items: choices, damaged }, () => renderChoices(choices, { err: terminal.out }));
    return 0;
  });
}
