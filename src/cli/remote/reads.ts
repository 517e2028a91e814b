import { resolve } from 'node:path';
import { BackstayError } from '../../errors/index.ts';
import type { RemoteRun } from '../commands.ts';
import { targetOf, textOf } from '../plan-options.ts';
import { reportFormatOf, statsAskedOf } from '../review-options.ts';
import { renderBundle } from '../render/bundle.ts';
import { tellDiff } from '../render/diff.ts';
import { tellApprovals, tellRuns } from '../render/runs.ts';
import { tellCapture, tellSnapshot, tellSnapshots } from '../render/snapshots.ts';
import { renderStats } from '../render/stats.ts';
import { table } from '../render/table.ts';
import { refuseLocal } from './dispatch.ts';

export const stacks: RemoteRun = async ({ terminal }, { client }) => {
  const items = await client.stacks();
  terminal.result('StackList', { items }, () =>
    items.length === 0
      ? `${client.server.host} has no stack that you may watch`
      : table(
          ['stack', 'namespaces', 'state', 'last run', 'checks', 'problem'],
          items.map((row) => [
            row.name,
            row.namespaces.join(','),
            row.state ?? '',
            row.lastRun?.outcome ?? '',
            String(row.checks),
            row.problem ?? '',
          ]),
        ),
  );
  return 0;
};

export const list: RemoteRun = async ({ args: [stack = ''], terminal }, { client }) =>
  tellSnapshots(stack, await client.snapshots(stack), terminal);

export const show: RemoteRun = async ({ args: [stack = '', ref = ''], options, terminal }, { client }) =>
  tellSnapshot(await client.snapshot(stack, ref, options['allowUnsigned'] === true), terminal);

export const capture: RemoteRun = async ({ args: [stack = ''], options, terminal }, { client }) => {
  const [label, note] = [textOf(options['as']), textOf(options['note'])];
  const result = await client.capture(stack, {
    ...(label === undefined ? {} : { labels: [label] }),
    ...(note === undefined ? {} : { reason: note }),
    ...(options['checks'] === false ? { checks: false } : {}),
  });
  return tellCapture(stack, result, terminal);
};

export const diff: RemoteRun = async (invocation, { client }) => {
  const { args, options, terminal } = invocation;
  const [stack = ''] = args;
  refuseLocal(invocation, 'out', 'take', 'exactReplicas', 'allowClusterMismatch', 'forceReplace', 'deleteProtected');
  const [from, to, scope] = [textOf(options['from']), targetOf(options), textOf(options['scope'])];
  if (to === undefined)
    throw new BackstayError('USAGE', 'A service compares with what --to names.', {
      next: `Run \`backstay list ${stack}\` to see what there is.`,
    });
  const result = await client.compare(stack, {
    from: from ?? 'live',
    to,
    ...(scope === undefined ? {} : { scope }),
  });
  tellDiff(stack, result, terminal);
  return options['detailedExitcode'] === true && result.changes.length > 0 ? 2 : 0;
};

export const history: RemoteRun = async ({ args: [stack], terminal }, { client }) => {
  tellRuns(await client.runs(stack === undefined ? {} : { stack }), terminal);
  return 0;
};

export const approvals: RemoteRun = async ({ args: [stack], terminal }, { client }) =>
  tellApprovals(await client.approvals(stack), terminal);

export const report: RemoteRun = async ({ args: [run = ''], options, terminal }, { client, files }) => {
  const format = reportFormatOf(options);
  const out = textOf(options['out']);
  const text = `${(await client.report(run, format)).trimEnd()}\n`;
  const path = out === undefined ? undefined : resolve(terminal.cwd, out);
  if (path !== undefined) await files.write(path, text);
  const isData = terminal.format !== 'table';
  const data = isData ? documentOf(format === 'json' ? text : await client.report(run, 'json')) : {};
  terminal.result('RunReport', data, () =>
    path === undefined ? text.trimEnd() : `report of run ${run} written to ${out ?? path}`,
  );
  return 0;
};

function documentOf(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch (cause) {
    throw new BackstayError('SERVICE_REFUSED', 'The report that came is no JSON.', { cause });
  }
}

export const evidence: RemoteRun = async ({ args: [run = ''], options, terminal }, { client, files, archive }) => {
  const { openBundle } = await import('../../actions/evidence-archive.ts');
  const bytes = await client.evidence(run);
  const { digest, manifest } = await openBundle(bytes, { archive: await archive() });
  const out = textOf(options['out']);
  const copy = out === undefined ? undefined : resolve(terminal.cwd, out);
  if (copy !== undefined) await files.write(copy, bytes);
  terminal.result('EvidenceBundle', { digest, manifest, ...(copy === undefined ? {} : { copy }) }, () =>
    [
      ...renderBundle(manifest, terminal.out),
      '',
      terminal.out.dim(`manifest ${digest}, as ${client.server.host} sent it`),
      ...(copy === undefined ? [] : [`copied to ${copy}`]),
    ].join('\n'),
  );
  return 0;
};

export const stats: RemoteRun = async ({ args: [stack], options, terminal }, { client }) => {
  const counted = await client.stats({ ...(stack === undefined ? {} : { stack }), ...statsAskedOf(options) });
  terminal.result('RunStats', counted, () => renderStats(counted, terminal.out));
  return 0;
};
