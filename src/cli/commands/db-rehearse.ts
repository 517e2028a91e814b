import { rehearse as run } from '../../actions/db-rehearse.ts';
import { isLossless, shortId } from '../../model/index.ts';
import { BackstayError } from '../../errors/index.ts';
import type { CommandRun } from '../commands.ts';
import { textOf } from '../plan-options.ts';
import { lossLines } from '../render/scenarios.ts';
import { duration } from '../render/time.ts';
import { stopSignals } from '../signals.ts';
import { withStack } from '../with-stack.ts';

export const rehearse: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const [stack = '', store] = args;
  const to = textOf(options['to']);
  const backup = textOf(options['backup']);
  if (to === undefined) throw new BackstayError('USAGE', 'A rehearsal needs --to REVISION (or -1 for one back).');
  return await withStack(invocation, stack, async (composition) => {
    const signals = stopSignals(invocation.process, (line) => terminal.note(terminal.err.warn(line)));
    try {
      const result = await run(
        {
          stack,
          to,
          signal: signals.stop,
          ...(store === undefined ? {} : { store }),
          ...(backup === undefined ? {} : { backup }),
        },
        {
          clock: composition.clock,
          dataStores: async () => await composition.dataStores(),
          migrations: async () => await composition.migrations(),
        },
      );
      const { report, way, migrateMs } = result;
      terminal.result('Rehearsal', { ...result, lossless: isLossless(report) }, () => {
        const { out } = terminal;
        return [
          `${out.good('rehearsed')}  ${result.store}  ${way.direction} to ${way.to ?? 'the empty schema'}, ${way.steps.length} steps, ${duration(migrateMs)} on a copy of backup ${result.backup}`,
          ...lossLines(report, out),
          ...(isLossless(report)
            ? []
            : [`${out.bold('to accept that:')} --accept-data-loss ${shortId(report.digest)}`]),
        ].join('\n');
      });
      return 0;
    } finally {
      signals.release();
    }
  });
};
