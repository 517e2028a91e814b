import type { CommandRun } from '../commands.ts';
import { onInvalidOf, planOptionsOf } from '../plan-options.ts';
import { stackOf } from '../run-output.ts';
import { carryAcross } from '../transition.ts';

export const undo: CommandRun = async (invocation) => {
  const [run = ''] = invocation.args;
  const options = planOptionsOf(invocation.options, false);
  const onInvalid = onInvalidOf(invocation.options);
  const stack = await stackOf(run, invocation);
  const { planUndo, undo: carryOut } = await import('../../actions/undo.ts');
  return await carryAcross(invocation, {
    stack,
    what: `To undo a run of ${stack}`,
    options,
    plan: async ({ composition, deps, requireFinished }) => {
      const journal = await composition.journal();
      const { plan, inventory, abandons } = await planUndo({ run, options, ...onInvalid }, { ...deps, journal });
      // What ended mixed is what keeps others from the stack, and is given up for this run.
      if (!abandons) await requireFinished();
      const warnings = abandons ? [`run ${run} ended mixed: it is given up, no resume goes on with it`] : [];
      return { kind: 'planned', plan, identity: inventory.identity, warnings };
    },
    question: (where) => `Take ${stack} on ${where} back to before run ${run}?`,
    run: carryOut,
  });
};
