import { BackstayError } from '../../../errors/index.ts';
import { describeTarget, microsOf, type RecoveryTarget, type RecoveryWindow } from '../../../model/index.ts';
import { type Position, positionText } from './wal.ts';
import type { Way } from './ways.ts';

export interface RestorePoint {
  readonly name: string;
  readonly at: Position;
}

/** How many names are told to somebody who gave one that is not there. */
const TOLD = 10;

/**
 * The way with the least to go forward that reaches the target. `points` of the whole log; absent for an archive that
 * cannot be read through, where the server itself will tell.
 * @throws RECOVERY_REFUSED saying why not, and what can be reached
 */
export function chooseWay(target: RecoveryTarget, ways: readonly Way[], points?: readonly RestorePoint[]): Way {
  const usable = ways.filter(({ window }) => window.problem === undefined);
  if (usable.length === 0) throw refused(target, 'nothing can be recovered', ways);
  return target.kind === 'time' ? byTime(target, usable, ways) : byName(target, usable, ways, points);
}

function byTime(target: RecoveryTarget & { kind: 'time' }, usable: readonly Way[], ways: readonly Way[]): Way {
  const wanted = microsOf(target.time);
  if (wanted === undefined) throw new TypeError(`${target.time} is no moment`);
  const begun = usable.filter(({ from }) => from !== undefined && from <= wanted);
  const fit = begun.filter(({ to }) => to === undefined || wanted < to).toSorted(byBeginning);
  const [best] = fit;
  if (best !== undefined) return best;
  if (begun.length === 0) throw refused(target, 'it lies before the end of the oldest base backup', ways);
  const gap = begun.find(({ missing }) => missing !== undefined)?.missing;
  const why =
    gap === undefined ? 'the log that was archived ends before it' : `the log has a gap before it: ${gap} is missing`;
  throw refused(target, why, ways);
}

function byName(
  target: RecoveryTarget & { kind: 'restore-point' },
  usable: readonly Way[],
  ways: readonly Way[],
  points: readonly RestorePoint[] | undefined,
): Way {
  const [newest] = usable.toSorted(byBeginning);
  if (points === undefined && newest !== undefined) return newest;
  const found = new Map(
    (points ?? []).filter(({ name }) => name === target.name).map(({ at }) => [positionText(at), at]),
  );
  const [at] = found.values();
  if (at === undefined) {
    const names = [...new Set((points ?? []).map(({ name }) => name))];
    const there = names.length === 0 ? 'none' : names.slice(-TOLD).join(', ');
    throw refused(target, `the log knows no such name; it knows ${there}`, ways);
  }
  if (found.size > 1)
    throw refused(target, `the log has ${found.size} of that name (${[...found.keys()].join(', ')})`, ways);
  const best = usable.toSorted(byBeginning).find(({ end }) => end !== undefined && end <= at);
  if (best === undefined) throw refused(target, 'it lies before the end of the oldest base backup', ways);
  return best;
}

const byBeginning = (a: Way, b: Way): number => Number((b.from ?? 0n) - (a.from ?? 0n));

function refused(target: RecoveryTarget, why: string, ways: readonly Way[]): BackstayError {
  const windows = ways.map(({ window }) => window);
  const can = windows.filter(({ problem }) => problem === undefined);
  const problems = windows.filter(({ problem }) => problem !== undefined);
  const possible = [...can.map(describeWindow), ...problems.map(({ base, problem }) => `${base}: ${problem ?? ''}`)];
  const told = possible.length === 0 ? 'there is no base backup' : possible.join('; ');
  return new BackstayError(
    'RECOVERY_REFUSED',
    `${describeTarget(target)} cannot be reached: ${why}. Possible: ${told}.`,
    {
      details: { target: describeTarget(target), windows },
    },
  );
}

export function describeWindow({ base, from, to, missing }: RecoveryWindow): string {
  const until = to === undefined ? 'as far as its archive goes' : `to ${to}`;
  return `from ${from ?? 'its end'} ${until} (${base})${missing === undefined ? '' : `, ${missing} is missing`}`;
}
