import { BackstayError } from '../../errors/index.ts';
import { displayName, shortId } from '../../model/index.ts';
import type { CommandRun } from '../commands.ts';
import { confirmByName } from '../confirm.ts';
import { textOf } from '../plan-options.ts';
import { withStack } from '../with-stack.ts';

export const release: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const [name = '', target = ''] = args;
  const reason = textOf(options['reason']) ?? '';
  const { heldTarget, releaseSnapshot } = await import('../../actions/release.ts');
  return await withStack(invocation, name, async (composition) => {
    const { stack, store } = composition;
    const { held } = await heldTarget(target, { stack, store });
    if (held !== undefined && reason !== '' && options['yes'] !== true) {
      if (!terminal.stdinIsTty)
        throw new BackstayError('CONFIRMATION_NEEDED', 'A release needs a yes, and there is no terminal to ask.');
      terminal.note(`${shortId(held.id)} is held: run ${held.run} went back from it (${held.reason})`);
      await confirmByName(terminal, stack.name, 'Let this version be used again?');
    }
    const result = await releaseSnapshot(
      { target, reason },
      { stack, store, cluster: async () => await composition.cluster() },
    );
    const { kind: outcome, ...told } = result;
    terminal.result('Release', { outcome, ...told }, () => {
      const { out } = terminal;
      if (result.kind === 'not-held') return `${shortId(result.id)} is not held`;
      return [
        `${out.good('released')} ${result.released.map(shortId).join(', ')}, held since ${result.runs.length === 1 ? 'run' : 'runs'} ${result.runs.join(', ')}`,
        ...result.unmarked.map((key) => `  ${displayName(key)} is no longer marked`),
        ...(result.problem === undefined
          ? []
          : [`  ${out.warn('warning')} live workloads may still be marked: ${result.problem}`]),
      ].join('\n');
    });
    return 0;
  });
};
