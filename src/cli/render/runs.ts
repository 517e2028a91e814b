import type { PastRun } from '../../actions/history.ts';
import type { WatchResult } from '../../actions/watch.ts';
import type { Decided, PendingApproval } from '../../client/index.ts';
import type { Terminal } from '../output.ts';
import { table } from './table.ts';
import { age, duration, moment } from './time.ts';

/** The runs as `backstay history` lists them, whoever keeps their journal. */
export function tellRuns(items: readonly (PastRun & { readonly report?: string })[], terminal: Terminal): void {
  terminal.result('RunList', { items }, () =>
    items.length === 0
      ? 'no runs yet'
      : table(
          ['run', 'stack', 'age', 'outcome', 'took', 'down', 'target', 'by', 'reason'],
          items.map((run) => rowOf(run, terminal)),
        ),
  );
  for (const run of items) {
    if (run.kind === 'run' && run.unread !== undefined) terminal.note(terminal.err.warn(leftOut(run.run, run.unread)));
  }
}

function rowOf(run: PastRun, { out }: Terminal): string[] {
  const begun = age(run.startedAt, Date.now());
  if (run.kind === 'damaged') return [run.run, run.stack, begun, out.bad('damaged'), '', '', '', '', run.why];
  const { outcome } = run;
  return [
    run.run,
    run.stack,
    begun,
    `${outcome === 'succeeded' ? out.good(outcome) : out.warn(outcome)}${sinceThen(run)}`,
    duration(run.durationMs),
    run.downMs === undefined ? '' : duration(run.downMs),
    run.target,
    run.trigger === 'person' ? run.by : `${run.trigger}: ${run.by}`,
    run.reason ?? '',
  ];
}

export function leftOut(run: string, kinds: readonly string[]): string {
  return `run ${run} has entries of a newer backstay that are not shown: ${kinds.join(', ')}`;
}

/** What happened to a run after its end. */
function sinceThen({ undone, finalized }: Extract<PastRun, { kind: 'run' }>): string {
  if (undone !== undefined) return ', undone';
  return finalized === undefined ? '' : ', final';
}

export function tellWatched(result: Extract<WatchResult, { kind: 'ended' }>, terminal: Terminal): number {
  terminal.result('Watch', result, () => {
    const { out } = terminal;
    const { run, outcome, reason, next, durationMs, exitCode } = result;
    return [
      `${exitCode === 0 ? out.good(outcome) : out.bad(outcome)}  run ${run}  ${duration(durationMs)}`,
      ...(reason === undefined ? [] : [`  ${reason}`]),
      ...(next === undefined ? [] : [`  ${out.bold('next:')} ${next}`]),
      `  report  backstay report ${run}`,
    ].join('\n');
  });
  return result.exitCode;
}

export function tellApprovals(items: readonly PendingApproval[], terminal: Terminal): number {
  const { out } = terminal;
  terminal.result('ApprovalList', { items }, () =>
    items.length === 0
      ? 'nothing waits for an approval'
      : table(
          ['run', 'stack', 'severity', 'standing', 'until', 'needs', 'asked by', 'reason'],
          items.map((item) => [
            item.run,
            item.stack,
            item.severity,
            item.standing === 'overdue' || item.standing === 'expired'
              ? out.bad(item.standing)
              : out.warn(item.standing),
            moment(item.until),
            item.said,
            item.requestedBy,
            item.reason ?? '',
          ]),
        ),
  );
  return 0;
}

export function tellDecided(done: Decided, terminal: Terminal): number {
  terminal.result('Approval', done, () => {
    const { out } = terminal;
    const said = done.decision === 'approved' ? out.good('approved') : out.bad('denied');
    const missing =
      done.missing === 0
        ? []
        : [`  ${done.missing} more ${done.missing === 1 ? 'person has' : 'people have'} to agree`];
    const next = done.next === undefined ? [] : [`  ${out.bold('next:')} ${done.next}`];
    return [`${said}  run ${done.run} by ${done.by.user} as ${done.role}`, ...missing, ...next].join('\n');
  });
  return 0;
}
