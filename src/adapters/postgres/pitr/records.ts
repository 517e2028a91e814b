import { join } from 'node:path';
import { microsOf } from '../../../model/index.ts';
import { capture } from './programs.ts';
import { type Position, positionOf } from './wal.ts';

/** A record of the log that says when it was written, or which name it was given. */
export type LogRecord =
  | { readonly kind: 'transaction'; readonly at: Position; readonly micros: bigint }
  | { readonly kind: 'restore-point'; readonly at: Position; readonly name: string }
  | { readonly kind: 'backup-end'; readonly at: Position; readonly start: Position };

const AT = /, lsn: ([0-9A-F]+\/[0-9A-F]+), prev [0-9A-F/]+, desc: (.*)$/;

/** A line of pg_waldump, run in UTC; undefined for what tells none of this. */
export function parseRecord(line: string): LogRecord | undefined {
  const [, lsn = '', said = ''] = AT.exec(line) ?? [];
  if (said === '') return undefined;
  const at = positionOf(lsn);
  const name = /^RESTORE_POINT (.*)$/s.exec(said)?.[1];
  if (name !== undefined) return { kind: 'restore-point', at, name };
  const start = /^BACKUP_END (\S+)/.exec(said)?.[1];
  if (start !== undefined) return { kind: 'backup-end', at, start: positionOf(start) };
  const time = /^(?:COMMIT|ABORT)(?:_PREPARED)? (?:\d+: )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? UTC)/.exec(
    said,
  )?.[1];
  const micros = time === undefined ? undefined : microsOf(time);
  return micros === undefined ? undefined : { kind: 'transaction', at, micros };
}

/**
 * What one file of the log holds of these. pg_waldump fails at the end of what was written, which every last file has: it
 * is taken for as long as it spoke.
 */
export async function recordsIn(
  file: string,
  manager: 'Transaction' | 'XLOG',
  bin: string,
  signal?: AbortSignal,
): Promise<readonly LogRecord[]> {
  const { lines } = await capture(join(bin, 'pg_waldump'), [`--rmgr=${manager}`, file], {
    keep: (line) => /desc: (?:COMMIT|ABORT|RESTORE_POINT|BACKUP_END)/.test(line),
    ...(signal === undefined ? {} : { signal }),
  });
  return lines.flatMap((line) => parseRecord(line) ?? []);
}
