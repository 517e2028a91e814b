import { dirname } from 'node:path';
import { BackstayError } from '../../errors/index.ts';
import { overall } from '../../model/index.ts';
import type { CommandRun } from '../commands.ts';
import { paintVerdict, renderChecks } from '../render/checks.ts';
import { withStack } from '../with-stack.ts';

const MOMENTS = ['capture', 'before', 'after'] as const;

/** Asks the checks now. Exit 0 only when all pass: unknown never counts as pass. */
export const check: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const when = MOMENTS.find((moment) => moment === options['when']);
  if (when === undefined)
    throw new BackstayError('USAGE', `--when ${String(options['when'])} is not one of ${MOMENTS.join(', ')}.`);
  const { runChecks } = await import('../../checks/index.ts');
  const { takeInventory } = await import('../../actions/inventory.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const { stack, clock } = composition;
    const [cluster, http] = await Promise.all([composition.cluster(), composition.http()]);
    const { flags } = await takeInventory(cluster, stack);
    const checks = await runChecks(stack.checks, {
      cluster,
      http,
      clock,
      stack,
      when,
      flags,
      baseDir: dirname(stack.file),
      onResult: (result) => terminal.note(`  ${paintVerdict(result.verdict, terminal.err)}  ${result.name}`),
    });
    const verdict = overall(checks);
    terminal.result(
      'CheckList',
      { verdict, items: checks },
      () => `${renderChecks(checks, terminal.out)}\n\n${paintVerdict(verdict, terminal.out)}`,
    );
    return verdict === 'pass' ? 0 : 1;
  });
};
