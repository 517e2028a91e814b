import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { momentOf, type RecoveryWindow } from '../../../model/index.ts';
import { clusterOf, historyOf, type WalArchive } from './archive.ts';
import type { BaseFacts } from './base.ts';
import { recordsIn } from './records.ts';
import {
  historyName,
  type Leg,
  liesOn,
  parseSegment,
  type Position,
  positionOf,
  positionText,
  segmentAt,
  segmentName,
  type Stretch,
  stretchFrom,
  timelineOf,
  wayTo,
} from './wal.ts';

/** The cluster that the past is wanted of. */
export interface LiveCluster {
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** What a copy has to have at least to be read while it recovers. */
  readonly limits: Readonly<Record<string, number>>;
}

/** How one gets forward from a base backup. */
export interface Way {
  readonly base: BaseFacts;
  readonly legs: readonly Leg[];
  readonly window: RecoveryWindow;
  /** Microseconds since 1970: what `window` says. */
  readonly from?: bigint;
  readonly to?: bigint;
  /** Where the base backup ended: nothing before it can be reached. */
  readonly end?: Position;
  /** First file of the log that is not there although later ones are. */
  readonly missing?: string;
  /** Paths of the files of the log, in order. Empty for an archive that cannot be listed. */
  readonly files: readonly string[];
}

export interface WaysOptions {
  readonly live: LiveCluster;
  readonly archive: WalArchive;
  /** Folder of the server's own programs. */
  readonly bin: string;
  readonly signal?: AbortSignal;
}

/** What can be reached from a base backup, by the log that is really there: read, not assumed. */
export async function wayFrom(base: BaseFacts, options: WaysOptions): Promise<Way> {
  const { live, archive, bin, signal } = options;
  const refused = (problem: string, legs: readonly Leg[] = []): Way => ({
    base,
    legs,
    files: [],
    window: { base: base.name, timeline: base.timeline, problem },
  });
  if (base.systemIdentifier !== live.systemIdentifier)
    return refused(`it is of another cluster (${base.systemIdentifier}; the live one is ${live.systemIdentifier})`);
  const history =
    live.timeline === 1 ? undefined : await historyOf(archive, historyName(live.timeline), signal).catch(() => null);
  if (history === null)
    return refused(`${historyName(live.timeline)} is not in ${archive.name}: how the timelines lie is not known`);
  const legs = wayTo(live.timeline, history);
  const { segmentBytes } = base;
  const first = segmentAt(positionOf(base.start), segmentBytes);
  const own = await ownLog(base);
  const locate = async (name: string): Promise<string | undefined> =>
    (await archive.locate(name, signal)) ?? (own.has(name) ? join(base.folder, 'pg_wal', name) : undefined);
  const listed = await archive.names();
  const stretch: Stretch =
    listed === undefined
      ? await followed(base, legs, locate)
      : stretchFrom(first, legs, segmentBytes, new Set([...listed, ...own]));
  const files: string[] = [];
  for (const name of stretch.names) {
    const path = await locate(name);
    if (path !== undefined) files.push(path);
  }
  const needs = segmentName(timelineOf(legs, first, segmentBytes), first, segmentBytes);
  if (files.length === 0) return refused(`the log that it needs is missing: ${needs} is not in ${archive.name}`, legs);
  for (const path of new Set([files[0] ?? '', files.at(-1) ?? ''])) {
    const cluster = await clusterOf(path);
    if (cluster !== base.systemIdentifier)
      return refused(`${path} is of another cluster (${cluster ?? 'none'}; it is of ${base.systemIdentifier})`, legs);
  }
  const end = base.end === undefined ? await endOf(base, files, bin, signal) : positionOf(base.end);
  const reach = first + BigInt(files.length);
  if (end === undefined || segmentAt(end - 1n, segmentBytes) >= reach)
    return refused(`the log does not reach its end: ${stretch.missing ?? 'its last files'} missing`, legs);
  if (!liesOn(legs, base.timeline, end))
    return refused(`it is of timeline ${base.timeline}, which timeline ${live.timeline} did not come from`, legs);
  const from = await firstMoment(base, end, files, bin, signal);
  const to = listed === undefined ? undefined : await lastMoment(files, bin, signal);
  return {
    base,
    legs,
    files: listed === undefined ? [] : files,
    end,
    from,
    ...(to === undefined ? {} : { to: to > from ? to : from }),
    ...(stretch.missing === undefined ? {} : { missing: stretch.missing }),
    window: {
      base: base.name,
      timeline: live.timeline,
      from: momentOf(from),
      ...(listed === undefined ? {} : { to: momentOf(to === undefined || to < from ? from : to) }),
      ...(stretch.missing === undefined ? {} : { missing: stretch.missing }),
    },
  };
}

/**
 * Files of the log that came with a base backup. The last one is left out: it was copied while it was written, has its
 * full size, and nothing after the end of the backup.
 */
async function ownLog({ folder, segmentBytes }: BaseFacts): Promise<ReadonlySet<string>> {
  const names = await readdir(join(folder, 'pg_wal')).catch((): string[] => []);
  const whole = names.filter((name) => parseSegment(name, segmentBytes) !== undefined).sort();
  return new Set(whole.slice(0, -1));
}

/** How many files are asked for of an archive that cannot be listed before a base backup counts as one without an end. */
const FOLLOWED = 256;

/** Fetches what the base backup itself needs, one file after the other. */
async function followed(
  { start, end, segmentBytes }: BaseFacts,
  legs: readonly Leg[],
  locate: (name: string) => Promise<string | undefined>,
): Promise<Stretch> {
  const first = segmentAt(positionOf(start), segmentBytes);
  const last = end === undefined ? first + BigInt(FOLLOWED) : segmentAt(positionOf(end) - 1n, segmentBytes);
  const names: string[] = [];
  for (let segment = first; segment <= last; segment += 1n) {
    const name = segmentName(timelineOf(legs, segment, segmentBytes), segment, segmentBytes);
    if ((await locate(name)) === undefined) break;
    names.push(name);
  }
  return { names };
}

/** Of a base backup that does not tell: the log does. */
async function endOf(
  { start }: BaseFacts,
  files: readonly string[],
  bin: string,
  signal?: AbortSignal,
): Promise<Position | undefined> {
  for (const file of files) {
    const records = await recordsIn(file, 'XLOG', bin, signal);
    const found = records.find((one) => one.kind === 'backup-end' && positionText(one.start) === start);
    // One byte into the record: what matters is that it is read.
    if (found !== undefined) return found.at + 1n;
  }
  return undefined;
}

/**
 * A copy holds everything up to its end, so no earlier moment than that of the last transaction before it can be had; the
 * server would stop there without a word, and hold too much. Without such a transaction, that of its checkpoint, which the
 * server keeps in whole seconds, cut off.
 */
async function firstMoment(
  base: BaseFacts,
  end: Position,
  files: readonly string[],
  bin: string,
  signal?: AbortSignal,
): Promise<bigint> {
  const count = Number(segmentAt(end - 1n, base.segmentBytes) - segmentAt(positionOf(base.start), base.segmentBytes));
  let latest: bigint | undefined;
  for (const file of files.slice(0, count + 1)) {
    for (const record of await recordsIn(file, 'Transaction', bin, signal)) {
      const within = record.kind === 'transaction' && record.at < end;
      if (within && (latest === undefined || record.micros > latest)) latest = record.micros;
    }
  }
  return latest ?? BigInt(base.checkpointAt + 1) * 1_000_000n;
}

/** Of the last transaction; undefined when there was none. */
async function lastMoment(files: readonly string[], bin: string, signal?: AbortSignal): Promise<bigint | undefined> {
  for (const file of files.toReversed()) {
    const times = (await recordsIn(file, 'Transaction', bin, signal)).flatMap((one) =>
      one.kind === 'transaction' ? [one.micros] : [],
    );
    if (times.length > 0) return times.reduce((a, b) => (a > b ? a : b));
  }
  return undefined;
}
