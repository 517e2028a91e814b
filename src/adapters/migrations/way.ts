import { BackstayError, didYouMean } from '../../errors/index.ts';
import { type Digest, digestOf, type MigrationWay } from '../../model/index.ts';

/** One revision as its scripts tell it. */
export interface Scripted {
  readonly revision: string;
  readonly title: string;
  /** What comes right before it. */
  readonly after: readonly string[];
  readonly reversible: boolean;
  /** Of the script that leads down from it, or of the file that has both. */
  readonly script?: Digest;
}

export interface Standing {
  /** Revisions that nothing applied stands upon. */
  readonly heads: readonly string[];
  readonly known: readonly Scripted[];
}

/** Fewer characters of an id name nothing. */
const SHORTEST = 4;

/**
 * The one line from where a database is to a revision: down through what it stands on, or up to what stands on it. `-1` is
 * one back, null before the first.
 * @throws MIGRATION_REFUSED for a revision that nobody knows, several heads, and branches on the way.
 */
export function wayThrough(standing: Standing, wanted: string | null): Omit<MigrationWay, 'digest'> {
  const { heads, known } = standing;
  if (heads.length > 1)
    throw refused(`The database has ${heads.length} heads (${heads.join(', ')}): branches that were never merged.`, {
      next: 'Merge them with the migration tool, then plan again.',
      heads,
    });
  const by = new Map(known.map((one) => [one.revision, one]));
  const [from = null] = heads;
  if (from !== null && !by.has(from))
    throw refused(`The database is at ${from}, which the scripts do not know.`, {
      next: 'Run the migrations of the version that made it: inside one of its pods, or from its checkout.',
      from,
    });
  const to = wanted === '-1' ? oneBack(from, by) : wanted === null ? null : resolve(wanted, known);
  if (to === from) return { from, to, direction: 'none', steps: [] };
  const down = lineDown(from, to, by);
  if (down !== undefined) return { from, to, direction: 'down', steps: down.map(stepOf) };
  const up = to === null ? undefined : lineDown(to, from, by);
  if (up !== undefined) return { from, to, direction: 'up', steps: up.toReversed().map(stepOf) };
  throw refused(`No single line of revisions leads from ${from ?? 'the beginning'} to ${to ?? 'the beginning'}.`, {
    next: 'They are on different branches, or a merge lies between them: take the way by hand, or restore a backup.',
    from,
    to,
  });
}

/** Over what is done and by which scripts; equal ways have equal digests. */
export function digested(way: Omit<MigrationWay, 'digest'>, statements?: string): MigrationWay {
  return { ...way, digest: digestOf({ ...way, ...(statements === undefined ? {} : { statements }) }) };
}

/**
 * Whether what is left is what was planned: the same way, or the end of it where an earlier attempt came that far.
 * @throws MIGRATION_REFUSED telling which of the two it is not.
 */
export function assertRest(planned: MigrationWay, rest: MigrationWay): void {
  if (rest.from === planned.from && rest.digest === planned.digest) return;
  const left = planned.steps.slice(planned.steps.length - rest.steps.length);
  const same = (one: MigrationWay['steps'][number], at: number): boolean =>
    one.revision === left[at]?.revision && one.script === left[at].script;
  const moved = rest.from !== planned.from;
  if (
    moved &&
    rest.direction === planned.direction &&
    rest.steps.length < planned.steps.length &&
    rest.steps.every(same)
  )
    return;
  throw refused(
    moved
      ? `The schema is at ${rest.from ?? 'its beginning'}, not at ${planned.from ?? 'its beginning'}, nor between that and ${planned.to ?? 'its beginning'}.`
      : `The scripts from ${planned.from ?? 'the beginning'} to ${planned.to ?? 'the beginning'} are not those that were planned.`,
    { next: 'Plan again: what was shown is not what would be done.', from: rest.from, to: planned.to },
  );
}

/** @throws MIGRATION_REFUSED naming the revisions that cannot be taken back. */
export function assertReversible({ direction, steps }: MigrationWay): void {
  const stuck = direction === 'down' ? steps.filter(({ reversible }) => !reversible) : [];
  if (stuck.length === 0) return;
  throw refused(
    `What ${stuck.map(({ revision }) => revision).join(', ')} did cannot be taken back by migrating down.`,
    {
      next: 'Restore a backup of before instead.',
      irreversible: stuck.map(({ revision }) => revision),
    },
  );
}

/** What comes first stands first; what stands on several comes after all of them. */
export function inOrder(known: readonly Scripted[]): readonly Scripted[] {
  const by = new Map(known.map((one) => [one.revision, one]));
  const done = new Set<Scripted>();
  // Not by recursion: chains of thousands of revisions are nothing special.
  for (const start of known) {
    const open = [start];
    for (let one = open.at(-1); one !== undefined; one = open.at(-1)) {
      const before = one.after.map((id) => by.get(id)).find((each) => each !== undefined && !done.has(each));
      if (before !== undefined && !open.includes(before)) open.push(before);
      else {
        done.add(one);
        open.pop();
      }
    }
  }
  return [...done];
}

/** The heads and all that they stand on. */
export function appliedUnder({ heads, known }: Standing): ReadonlySet<string> {
  const by = new Map(known.map((one) => [one.revision, one]));
  const applied = new Set<string>();
  const open = [...heads];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (applied.has(id)) continue;
    applied.add(id);
    open.push(...(by.get(id)?.after ?? []));
  }
  return applied;
}

export function refused(
  message: string,
  { next, ...details }: { readonly next: string; readonly [detail: string]: string | null | readonly string[] },
): BackstayError {
  return new BackstayError('MIGRATION_REFUSED', message, { next, details });
}

function stepOf({ revision, title, reversible, script }: Scripted): MigrationWay['steps'][number] {
  return { revision, title, reversible, ...(script === undefined ? {} : { script }) };
}

/** Revisions from the upper one down to right above the lower; undefined when the lower is not beneath it in one line. */
function lineDown(
  upper: string | null,
  lower: string | null,
  by: ReadonlyMap<string, Scripted>,
): readonly Scripted[] | undefined {
  const line: Scripted[] = [];
  for (let at = upper; at !== lower; ) {
    const one = at === null ? undefined : by.get(at);
    // Below a merge there are several heads: no state that a plan could name. A circle ends here as well.
    if (one === undefined || one.after.length > 1 || line.length > by.size) return undefined;
    line.push(one);
    at = one.after[0] ?? null;
  }
  return line;
}

function oneBack(from: string | null, by: ReadonlyMap<string, Scripted>): string | null {
  if (from === null)
    throw refused('No migration was ever applied: there is nothing to go back from.', { next: 'Name a revision.' });
  const after = by.get(from)?.after ?? [];
  if (after.length > 1)
    throw refused(`${from} merges ${after.join(' and ')}: there is no one revision before it.`, {
      next: 'Restore a backup of before instead.',
      from,
    });
  return after[0] ?? null;
}

function resolve(wanted: string, known: readonly Scripted[]): string {
  const ids = known.map(({ revision }) => revision);
  if (ids.includes(wanted)) return wanted;
  const begins = wanted.length < SHORTEST ? [] : ids.filter((id) => id.startsWith(wanted));
  if (begins.length === 1 && begins[0] !== undefined) return begins[0];
  const guess = didYouMean(wanted, ids);
  throw refused(
    begins.length > 1
      ? `Several revisions begin with ${wanted}: ${begins.join(', ')}.`
      : `The scripts know no revision ${wanted}.`,
    {
      next: guess === undefined ? '`backstay db migrations STACK` lists the revisions.' : `Did you mean ${guess}?`,
      to: wanted,
    },
  );
}
