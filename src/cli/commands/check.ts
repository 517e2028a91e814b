import { BackstayError } from '../../errors/index.ts';
import type { CheckResult } from '../../model/index.ts';
import type { CommandRun } from '../commands.ts';
import { textOf } from '../plan-options.ts';
import { paintVerdict, renderChecks } from '../render/checks.ts';
import { withStack } from '../with-stack.ts';

const MOMENTS = ['capture', 'before', 'after'] as const;

/** Asks the checks now, or whether the runbook applies. Exit 0 only for a clear yes: unknown never counts as pass. */
export const check: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const when = MOMENTS.find((moment) => moment === options['when']);
  if (when === undefined) {
    throw new BackstayError('USAGE', `--when ${textOf(options['when']) ?? ''} is not one of ${MOMENTS.join(', ')}.`);
  }
  const { checkRunbook, checkStack } = await import('../../actions/check.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const { stack, clock } = composition;
    const [cluster, http] = await Promise.all([composition.cluster(), composition.http()]);
    const { err, out } = terminal;
    const onResult = ({ verdict, name }: CheckResult): void =>
      terminal.note(`  ${paintVerdict(verdict, err)}  ${name}`);
    if (options['runbook'] === true) {
      const answer = await checkRunbook({ onResult }, { stack, cluster, http, clock });
      terminal.result('Runbook', { ...answer }, () =>
        answer.applies
          ? `${out.good('the runbook applies')}  ${answer.message}`
          : `${out.warn('the runbook does not apply')}  ${answer.message}`,
      );
      return answer.applies ? 0 : 7;
    }
    const { verdict, checks } = await checkStack({ when, onResult }, { stack, cluster, http, clock });
    terminal.result(
      'CheckList',
      { verdict, items: checks },
      () => `${renderChecks(checks, out)}\n\n${paintVerdict(verdict, out)}`,
    );
    return verdict === 'pass' ? 0 : 1;
  });
};
