import type { EvidenceFile, EvidenceManifest } from '../../model/index.ts';
import type { Style } from './style.ts';
import { size, table } from './table.ts';

/** What an evidence bundle holds, and what it could not get. */
export function renderBundle({ files, missing, redacted, tookMs }: EvidenceManifest, style: Style): readonly string[] {
  const remark = ({ cut, note }: EvidenceFile): string => [cut, note].filter((text) => text !== undefined).join('; ');
  return [
    files.length === 0
      ? style.dim('no files')
      : table(
          ['file', 'size', ''],
          files.map((file) => [file.path, size(file.bytes), remark(file)]),
        ),
    '',
    ...missing.map(({ source, why }) => `${style.warn('missing')}  ${source}: ${why}`),
    style.dim(`${files.length} files in ${tookMs} ms, ${redacted} secrets redacted`),
  ];
}
