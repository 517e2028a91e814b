import type { CaptureAnswer, SnapshotDetails, SnapshotPage } from '../../client/index.ts';
import { type SchemaRevision, shortId } from '../../model/index.ts';
import type { SnapshotRow } from '../../actions/snapshots.ts';
import type { Terminal } from '../output.ts';
import { renderChecks } from './checks.ts';
import type { Style } from './style.ts';
import { table } from './table.ts';
import { age } from './time.ts';

/** The list as `backstay list` shows it, whoever made it. Returns the exit code. */
export function tellSnapshots(stack: string, { items, damaged }: SnapshotPage, terminal: Terminal): number {
  const { out } = terminal;
  terminal.result('SnapshotList', { items, damaged }, () => {
    if (items.length === 0 && damaged.length === 0)
      return `no snapshots of ${stack} yet: \`backstay capture ${stack}\` makes one`;
    const lines = [
      table(
        ['snapshot', 'age', 'label', 'state', 'signature', 'why', 'by', 'note'],
        items.map((row) => [
          row.shortId,
          age(row.capturedAt, Date.now()),
          row.labels.join(','),
          stateOf(row, out),
          row.signature.state === 'trusted' ? row.signature.state : out.warn(row.signature.state),
          row.reason,
          row.by.user,
          row.note ?? '',
        ]),
      ),
      ...damaged.map((entry) => `${out.bad('damaged')}  ${entry.path}  ${entry.damaged}`),
    ];
    return lines.join('\n');
  });
  return damaged.length === 0 ? 0 : 7;
}

export function tellSnapshot(details: SnapshotDetails, terminal: Terminal): number {
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
}

export function tellCapture(stack: string, result: CaptureAnswer, terminal: Terminal): number {
  if (result.kind === 'empty') {
    terminal.result(
      'Capture',
      result,
      () => `nothing to capture: ${result.namespaces.join(', ')} hold no objects of the stack`,
    );
    return 1;
  }
  terminal.result('Capture', result, () => {
    const { out } = terminal;
    const lines = [
      `${result.isNew ? 'captured' : 'unchanged'} ${out.bold(shortId(result.id))}  ${result.objects} objects  ${result.knownGood ? out.good('known good') : out.warn('not known good')}`,
      ...result.flags.map((flag) => `  flag ${flag.name} = ${flag.value ?? '(unset)'}  ${out.dim(flag.source)}`),
      ...result.moved.map((moved) => `  label ${moved.label} led to ${shortId(moved.from)} until now`),
    ];
    for (const warning of result.warnings ?? []) lines.push(`  ${out.warn('warning')} ${warning}`);
    if (result.held !== undefined)
      lines.push(
        `  ${out.bad('held')}: run ${result.held.run} went back from this version (${result.held.reason}); \`backstay release ${stack} ${shortId(result.id)}\` lets it go`,
      );
    if (result.checks.length > 0 && !result.knownGood) lines.push('', renderChecks(result.checks, out));
    return lines.join('\n');
  });
  return 0;
}

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
