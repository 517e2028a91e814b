import type { ObserveResult } from '../../actions/observe/index.ts';
import type { CommandRun } from '../commands.ts';
import type { Terminal } from '../output.ts';
import { durationMsOf, textOf } from '../plan-options.ts';
import { paintVerdict } from '../render/checks.ts';
import { observeDepsOf } from '../../compose.ts';
import { reporterOf, stackOf } from '../run-output.ts';
import { withStack } from '../with-stack.ts';

/** Watches a stack after one of its runs. Exit 0 only where nothing failed and everything could be measured. */
export const observe: CommandRun = async (invocation) => {
  const { args, options, terminal, process } = invocation;
  const [run = ''] = args;
  const forMs = durationMsOf(textOf(options['for']), '--for');
  const { observe: watch } = await import('../../actions/observe/index.ts');
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => stop.abort(signal);
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    return await withStack(invocation, await stackOf(run, invocation), async (composition) => {
      const result = await watch(
        { run, signal: stop.signal, ...(forMs === undefined ? {} : { forMs }) },
        { ...(await observeDepsOf(composition)), reporter: reporterOf(invocation) },
      );
      if (result.kind === 'observed') return tellObserved(result, terminal);
      terminal.note(`stopped watching. Go on with: backstay observe ${run}`);
      return stop.signal.reason === 'SIGTERM' ? 143 : 130;
    });
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
};

function tellObserved(result: Extract<ObserveResult, { kind: 'observed' }>, terminal: Terminal): number {
  const { run, outcome, reason, subjects } = result;
  terminal.result('Observation', { run, outcome, reason, subjects }, () => {
    const { out } = terminal;
    const lines = subjects.map(({ name, findings }) => {
      const last = findings.at(-1);
      const failed = findings.findLast(({ verdict }) => verdict === 'fail');
      const { verdict, reason: why } = failed ?? last ?? { verdict: 'unknown' as const, reason: 'not measured' };
      return `  ${paintVerdict(verdict, out)}  ${name}: ${why}${failed === undefined || last === failed ? '' : ` (${last?.verdict} since)`}`;
    });
    return [
      `${outcome === 'quiet' ? out.good(outcome) : out.bad(outcome)}  after run ${run}: ${reason}`,
      ...lines,
      `  report  backstay report ${run}`,
      ...(outcome === 'disturbed' ? [`  ${out.bold('next:')} backstay doctor STACK, or backstay undo ${run}`] : []),
    ].join('\n');
  });
  return outcome === 'quiet' ? 0 : 1;
}
