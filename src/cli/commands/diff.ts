import { BackstayError } from '../../errors/index.ts';
import { shortId } from '../../model/index.ts';
import type { CommandRun } from '../commands.ts';
import { planDepsOf } from '../deps.ts';
import { planOptionsOf, requireSaid, scopeOf, targetOf, textOf } from '../plan-options.ts';
import { tellPlan } from '../plan-source.ts';
import { renderChange } from '../render/plan.ts';
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
    terminal.result(
      'Diff',
      { stack: args[0], from: fromName, to: result.to.id, scope, changes, warnings, refusals },
      () => {
        const { out } = terminal;
        const name = [shortId(result.to.id), ...result.to.sighting.record.labels].join(' ');
        return [
          `${out.bold(fromName)} → ${out.bold(name)}`,
          ...(changes.length === 0
            ? [out.good('no difference')]
            : changes.flatMap((change) => renderChange(change, out))),
          ...warnings.map((warning) => `${out.warn('warning')}  ${warning}`),
          ...refusals.map((refusal) => `${out.bad('refused')}  ${refusal.code}  ${refusal.message}`),
        ].join('\n');
      },
    );
    return options['detailedExitcode'] === true && changes.length > 0 ? 2 : 0;
  });
};
