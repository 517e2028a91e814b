import { planDbRestore } from '../../actions/db-restore.ts';
import { BackstayError } from '../../errors/index.ts';
import type { CommandRun } from '../commands.ts';
import { confirmByName } from '../confirm.ts';
import { planDepsOf, runDepsOf } from '../deps.ts';
import { onInvalidOf, planOptionsOf } from '../plan-options.ts';
import { renderPlan } from '../render/plan.ts';
import { stopSignals } from '../signals.ts';
import { withStack } from '../with-stack.ts';
import { reporterOf, tellEnd } from './rollback.ts';

export const restore: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const [name = '', backup = '', store] = args;
  const planOptions = planOptionsOf(options, false);
  const dryRun = options['dryRun'] === true;
  return await withStack(invocation, name, async (composition) => {
    const { stack } = composition;
    if (!dryRun && stack.requireReason && planOptions.reason === undefined)
      throw new BackstayError('USAGE', `A restore of ${name} needs --reason: it is journaled and in the report.`);
    if (!dryRun && options['yes'] !== true && !terminal.stdinIsTty)
      throw new BackstayError('CONFIRMATION_NEEDED', `A restore of ${name} needs a yes, and there is no terminal.`);
    const deps = {
      ...(await planDepsOf(composition)),
      dataStores: async () => await composition.dataStores(),
    };
    const request = {
      backup,
      options: planOptions,
      ...onInvalidOf(options),
      ...(store === undefined ? {} : { store }),
    };
    const { plan, identity } = await planDbRestore(request, deps);
    if (dryRun) {
      terminal.result(
        'Plan',
        { ...plan },
        () => `${renderPlan(plan, terminal.out)}\n${terminal.out.dim('dry run: nothing was changed')}`,
      );
      return 0;
    }
    terminal.note(renderPlan(plan, terminal.err));
    if (options['yes'] !== true) {
      const where = `${identity.context ?? 'the current context'} (${identity.server})`;
      await confirmByName(terminal, name, `Take the data of ${name} on ${where} to ${plan.target.said}?`);
    }
    const { rollback: run } = await import('../../actions/rollback.ts');
    const signals = stopSignals(invocation.process, (line) => terminal.note(terminal.err.warn(line)));
    try {
      const ended = await run(
        { plan, signal: signals.stop, abort: signals.abort },
        await runDepsOf(composition, reporterOf(invocation)),
      );
      return ended.kind === 'ended' ? tellEnd(ended, invocation) : ended.exitCode;
    } finally {
      signals.release();
    }
  });
};
