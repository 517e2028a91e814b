import { BackstayError } from '../../errors/index.ts';
import type { CommandRun } from '../commands.ts';
import { confirmByName } from '../confirm.ts';
import { planDepsOf, runDepsOf } from '../deps.ts';
import { durationMsOf, onInvalidOf, planOptionsOf, requireSaid, textOf } from '../plan-options.ts';
import { renderPlan } from '../render/plan.ts';
import { stopSignals } from '../signals.ts';
import { withStack } from '../with-stack.ts';
import { reporterOf, stackOf, tellEnd } from './rollback.ts';

export const undo: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const [undone = ''] = args;
  const planOptions = planOptionsOf(options, false);
  const onInvalid = onInvalidOf(options);
  const readyTimeoutMs = durationMsOf(textOf(options['timeout']), '--timeout');
  const dryRun = options['dryRun'] === true;
  const name = await stackOf(undone, invocation);
  const [{ planUndo, undo: carryOut }, { requireFinished }] = await Promise.all([
    import('../../actions/undo.ts'),
    import('../../actions/unfinished.ts'),
  ]);
  return await withStack(
    invocation,
    name,
    async (composition) => {
      const { stack } = composition;
      if (!dryRun && stack.requireReason && planOptions.reason === undefined) {
        throw new BackstayError('USAGE', `To undo a run of ${name} needs --reason: it is journaled and in the report.`);
      }
      if (!dryRun) requireSaid(stack, planOptions);
      if (!dryRun && options['yes'] !== true && !terminal.stdinIsTty) {
        throw new BackstayError(
          'CONFIRMATION_NEEDED',
          `To undo a run of ${name} needs a yes, and there is no terminal.`,
        );
      }
      const deps = { ...(await planDepsOf(composition)), journal: await composition.journal() };
      const { plan, inventory, abandons } = await planUndo({ run: undone, options: planOptions, ...onInvalid }, deps);
      if (!dryRun && !abandons) {
        const { journal, clock } = deps;
        await requireFinished({ stack: name }, { lock: await composition.lock(), journal, clock });
      }
      if (dryRun) {
        terminal.result(
          'Plan',
          { ...plan },
          () => `${renderPlan(plan, terminal.out)}\n${terminal.out.dim('dry run: nothing was changed')}`,
        );
        return 0;
      }
      terminal.note(renderPlan(plan, terminal.err));
      if (abandons)
        terminal.note(terminal.err.warn(`run ${undone} ended mixed: it is given up, no resume goes on with it`));
      const { context, server } = inventory.identity;
      if (options['yes'] !== true) {
        const where = `${context ?? 'the current context'} (${server})`;
        await confirmByName(terminal, name, `Take ${name} on ${where} back to before run ${undone}?`);
      }
      const signals = stopSignals(invocation.process, (line) => terminal.note(terminal.err.warn(line)));
      try {
        const run = await runDepsOf(composition, reporterOf(invocation));
        return tellEnd(await carryOut({ plan, signal: signals.stop, abort: signals.abort }, run), invocation);
      } finally {
        signals.release();
      }
    },
    readyTimeoutMs === undefined ? {} : { readyTimeoutMs },
  );
};
