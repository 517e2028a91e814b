import { requireSaid } from '../../actions/require-said.ts';
import { planDepsOf } from '../../compose.ts';
import { BackstayError } from '../../errors/index.ts';
import { shortId } from '../../model/index.ts';
import type { CommandRun } from '../commands.ts';
import { planOptionsOf, scopeOf, targetOf, textOf } from '../plan-options.ts';
import { tellPlan } from '../plan-source.ts';
import { tellDiff } from '../render/diff.ts';
import { withChoices } from '../choices.ts';
import { withStack } from '../with-stack.ts';

export const diff: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const scope = scopeOf(textOf(options['scope']));
  const planOptions = planOptionsOf(options);
  const to = targetOf(options);
  const from = textOf(options['from']);
  const out = textOf(options['out']);
  if (out !== undefined && from !== undefined)
    throw new BackstayError('USAGE', '--out writes a plan from what is live: it does not go with --from.');
  const { diffStack } = await import('../../actions/diff.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const deps = await planDepsOf(composition);
    if (out !== undefined) {
      requireSaid(composition.stack, planOptions, `A rollback of ${composition.stack.name}`);
      const { planRollback } = await import('../../actions/plan.ts');
      const planned = await withChoices(
        terminal,
        async () => await planRollback({ target: to, scope, options: planOptions }, deps),
      );
      await tellPlan(planned, out, composition, terminal);
      return options['detailedExitcode'] === true && planned.kind === 'planned' ? 2 : 0;
    }
    const result = await withChoices(terminal, async () =>
      from !== undefined && to !== undefined
        ? await diffStack({ from, to, scope, options: planOptions }, deps)
        : await diffStack({ to, scope, options: planOptions }, deps),
    );
    const { changes, warnings, refusals } = result;
    const fromName = result.from.kind === 'live' ? 'live' : shortId(result.from.snapshot.id);
    const { id, sighting } = result.to;
    tellDiff(
      args[0] ?? '',
      { from: fromName, to: id, scope, changes, warnings, refusals, labels: sighting.record.labels },
      terminal,
    );
    return options['detailedExitcode'] === true && changes.length > 0 ? 2 : 0;
  });
};
