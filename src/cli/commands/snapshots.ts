import { type SchemaRevision, shortId } from '../../model/index.ts';
import type { SnapshotRow } from '../../actions/snapshots.ts';
import type { CommandRun } from '../commands.ts';
import { renderChecks } from '../render/checks.ts';
import type { Style } from '../render/style.ts';
import { table } from '../render/table.ts';
import { age } from '../render/time.ts';
import { withStack } from '../with-stack.ts';

export const list: CommandRun = async (invocation) => {
  const { args, terminal } = invocation;
  const { listSnapshots } = await import('../../actions/snapshots.ts');
  return await withStack(invocation, args[0] ?? '', async ({ stack, store }) => {
    const { rows, damaged } = await listSnapshots(stack.name, { store });
    terminal.result('SnapshotList', { items: rows, damaged }, () => {
      if (rows.length === 0 && damaged.length === 0)
        return `no snapshots of ${stack.name} yet: \`backstay capture ${stack.name}\` makes one`;
      const lines = [
        table(
          ['snapshot', 'age', 'label', 'state', 'signature', 'why', 'by', 'note'],
          rows.map((row) => [
            row.shortId,
            age(row.capturedAt, Date.now()),
            row.labels.join(','),
            stateOf(row, terminal.out),
            row.signature.state === 'trusted' ? row.signature.state : terminal.out.warn(row.signature.state),
            row.reason,
            row.by.user,
            row.note ?? '',
          ]),
        ),
        ...damaged.map((entry) => `${terminal.out.bad('damaged')}  ${entry.path}  ${entry.damaged}`),
      ];
      return lines.join('\n');
    });
    return damaged.length === 0 ? 0 : 7;
  });
};

function schemaLine({ store, tool, revision, heads }: SchemaRevision): string {
  const at = heads.length > 1 ? heads.join(' + ') : (revision ?? 'no migration');
  return `  schema    ${store} = ${at} (${tool})`;
}

function stateOf(row: SnapshotRow, style: Style): string {
  if (row.removed !== undefined) return style.dim(`removed (${row.removed.because})`);
  if (row.held !== undefined) return style.bad('held');
  if (row.knownGood) return style.good('known good');
  return row.verdict === 'fail' ? style.bad('checks failed') : style.dim('not checked');
}

export const show: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const { showSnapshot } = await import('../../actions/snapshots.ts');
  return await withStack(invocation, args[0] ?? '', async ({ stack, store }) => {
    const details = await showSnapshot(
      { stack: stack.name, target: args[1] ?? '', allowUnsigned: options['allowUnsigned'] === true },
      { store },
    );
    const { snapshot, row } = details;
    terminal.result('Snapshot', { ...details }, () => {
      const { out } = terminal;
      return [
        `${out.bold(shortId(snapshot.id))}  ${stateOf(row, out)}  ${row.labels.join(', ')}`,
        `  id        ${snapshot.id}`,
        `  captured  ${row.capturedAt} by ${row.by.user}@${row.by.host} (${row.reason})`,
        ...(row.held === undefined ? [] : [`  held      run ${row.held.run} went back from it: ${row.held.reason}`]),
        `  signature ${row.signature.state}${'key' in row.signature ? ` by ${row.signature.key}` : ''}`,
        `  cluster   ${snapshot.content.clusterUid ?? 'any (imported manifests)'}`,
        ...snapshot.content.flags.map((flag) => `  flag      ${flag.name} = ${flag.value ?? '(unset)'}`),
        ...(snapshot.content.schemas ?? []).map(schemaLine),
        '',
        table(
          ['kind', 'names'],
          details.kinds.map(({ kind, names }) => [kind, names.join(', ')]),
        ),
        '',
        table(
          ['workload', 'container', 'image', 'digest'],
          snapshot.content.images.map((image) => [
            image.workload,
            image.container,
            image.image,
            snapshot.sighting.record.imageDigests?.[image.image]?.slice(0, 19) ?? '',
          ]),
        ),
        ...(details.checks.length > 0 ? ['', renderChecks(details.checks, out)] : []),
      ].join('\n');
    });
    return 0;
  });
};

export const verify: CommandRun = async (invocation) => {
  const { args, terminal } = invocation;
  const { verifySnapshots } = await import('../../actions/snapshots.ts');
  return await withStack(invocation, args[0] ?? '', async ({ stack, store }) => {
    const result = await verifySnapshots(
      { stack: stack.name, ...(args[1] === undefined ? {} : { target: args[1] }) },
      { store },
    );
    terminal.result('Verification', { ...result }, () =>
      [
        ...result.findings
          .filter((finding) => !finding.ok)
          .map((finding) => `${terminal.out.bad('damaged')}  ${finding.path}  ${finding.message}`),
        result.kind === 'sound'
          ? terminal.out.good(`sound: ${result.findings.length} files read, digests and signatures hold`)
          : terminal.out.bad('not sound'),
      ].join('\n'),
    );
    return result.kind === 'sound' ? 0 : 7;
  });
};
