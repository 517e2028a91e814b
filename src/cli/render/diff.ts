import type { DiffAnswer } from '../../client/index.ts';
import { shortId } from '../../model/index.ts';
import type { Terminal } from '../output.ts';
import { renderChange } from './plan.ts';

/** A difference as `backstay diff` shows it. `labels` are the target's, where they are known. */
export function tellDiff(stack: string, result: DiffAnswer, terminal: Terminal): void {
  const { labels = [], from, to, scope, changes, warnings, refusals } = result;
  terminal.result('Diff', { stack, from, to, scope, changes, warnings, refusals }, () => {
    const { out } = terminal;
    return [
      `${out.bold(from)} → ${out.bold([to === 'live' ? to : shortId(to), ...labels].join(' '))}`,
      ...(changes.length === 0 ? [out.good('no difference')] : changes.flatMap((change) => renderChange(change, out))),
      ...warnings.map((warning) => `${out.warn('warning')}  ${warning}`),
      ...refusals.map((refusal) => `${out.bad('refused')}  ${refusal.code}  ${refusal.message}`),
    ].join('\n');
  });
}
