import type { RunState } from '../journal/index.ts';
import { type Digest, holdOf, isKnownGood, labelsOf, removalOf, type Sighting, type Stack } from '../model/index.ts';
import { heldDeliveries } from './let-go.ts';
import { beforeId } from './steps/record-after.ts';
import { changedStack } from './undo.ts';

/** Everything that decides what is kept. */
export interface Keeping {
  /** Of trusted signature, newest first. */
  readonly sightings: readonly Sighting[];
  /** Every run of the stack. */
  readonly runs: readonly RunState[];
  readonly retention: Stack['retention'];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Runs that count as finalized, beside those that are. */
  readonly closing?: ReadonlySet<string>;
}

export type KeptBecause = 'label' | 'known-good' | 'held' | 'run' | 'undo' | 'seen' | 'newest';

export interface KeptReason {
  readonly because: KeptBecause;
  /** For people. */
  readonly why: string;
  /** ISO 8601; absent: until somebody does something about it. */
  readonly until?: string;
}

export interface Kept {
  readonly id: Digest;
  /** Empty: nothing keeps it. */
  readonly reasons: readonly KeptReason[];
}

/** What keeps each content that is there, newest first. Pure. */
export function keptSnapshots(keeping: Keeping): readonly Kept[] {
  const { sightings, retention } = keeping;
  const ids = [...new Set(sightings.map(({ record }) => record.id))].filter(
    (id) => removalOf(id, sightings) === undefined,
  );
  return ids.map((id, rank) => ({
    id,
    reasons: [
      ...byItself(id, keeping),
      ...byRuns(id, keeping),
      ...bySighting(id, keeping),
      ...(rank < retention.keep ? [{ because: 'newest' as const, why: `among the newest ${retention.keep}` }] : []),
    ],
  }));
}

/**
 * What is left over once a run is finalized: its *before*, unless something else keeps it. That it is among the newest is
 * no reason: a person closes this way back, or its time has passed.
 */
export function leftBy(state: RunState, keeping: Keeping): readonly Kept[] {
  const before = beforeId(state);
  const closing = new Set([...(keeping.closing ?? []), state.run]);
  return keptSnapshots({ ...keeping, closing })
    .filter(({ id }) => id === before)
    .map(({ id, reasons }) => ({ id, reasons: reasons.filter(({ because }) => because !== 'newest') }));
}

/**
 * Runs whose way back is open, and past its time. One that a person has to bring to an end first is none of them, and
 * neither is one that keeps Argo CD or Flux from bringing the failing version back: time alone must not let that go.
 */
export function expiredRuns({ runs, retention, now }: Keeping): readonly RunState[] {
  return runs.filter(
    (state) =>
      isOpen(state) &&
      isOver(state) &&
      heldDeliveries(state.plan).length === 0 &&
      Date.parse(endOf(state, retention.undoMs)) <= now,
  );
}

function byItself(id: Digest, { sightings }: Keeping): readonly KeptReason[] {
  const held = holdOf(id, sightings);
  const passed = sightings.some(({ record }) => record.id === id && record.reason !== 'relabel' && isKnownGood(record));
  return [
    ...labelsOf(id, sightings).map((label) => ({ because: 'label' as const, why: `has the label ${label}` })),
    ...(held === undefined ? [] : [{ because: 'held' as const, why: `held by run ${held.run}` }]),
    ...(passed && held === undefined ? [{ because: 'known-good' as const, why: 'known good' }] : []),
  ];
}

function byRuns(id: Digest, { runs, retention, closing }: Keeping): readonly KeptReason[] {
  return runs
    .filter((state) => isOpen(state, closing))
    .flatMap((state): readonly KeptReason[] => {
      const isBefore = beforeId(state) === id;
      if (!isBefore && state.plan.target.id !== id) return [];
      const part = isBefore ? 'what was before' : 'the target of';
      if (!isOver(state)) return [{ because: 'run', why: `${part} run ${state.run}, which is not at its end` }];
      const until = endOf(state, retention.undoMs);
      return [{ because: 'undo', why: isBefore ? `to undo run ${state.run}` : `${part} run ${state.run}`, until }];
    });
}

/** For its own sake: somebody or a run captured it. What a finalized run captured to come back to does not count. */
function bySighting(id: Digest, { sightings, runs, retention, now, closing }: Keeping): readonly KeptReason[] {
  const closed = runs.filter(({ run, finalized }) => finalized !== undefined || closing?.has(run) === true);
  const seen = sightings.find(
    ({ record }) =>
      record.id === id &&
      record.reason !== 'relabel' &&
      !closed.some(
        ({ run }) => record.reason === 'before-run' && record.note?.startsWith(`before run ${run} `) === true,
      ),
  );
  if (seen === undefined) return [];
  const until = Date.parse(seen.record.capturedAt) + retention.snapshotsMs;
  if (until <= now) return [];
  return [{ because: 'seen', why: `captured (${seen.record.reason})`, until: new Date(until).toISOString() }];
}

/** Whether the way back of a run is there to be kept. */
function isOpen(state: RunState, closing?: ReadonlySet<string>): boolean {
  if (state.finalized !== undefined || state.undone !== undefined || closing?.has(state.run) === true) return false;
  return state.ended === undefined || changedStack(state);
}

function isOver({ ended }: RunState): boolean {
  return ended !== undefined && ended.outcome !== 'mixed';
}

function endOf({ ended, lastAt }: RunState, ms: number): string {
  return new Date(Date.parse(ended?.at ?? lastAt) + ms).toISOString();
}
