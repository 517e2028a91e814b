import { createHash } from 'node:crypto';
import { BackstayError } from '../../errors/index.ts';
import { canonicalJson } from '../../model/index.ts';

/**
 * What a server is told to serve, and what runs have put beside it. Both are written by one act, and only when nobody else
 * wrote meanwhile: the truth about an exchange, whatever a journal says.
 */
export interface Pointer {
  /** Name of the database that is served. */
  readonly live: string;
  readonly runs: Readonly<Record<string, RunRecord>>;
  /** The run that began a restore last: an earlier one exchanges nothing any more. */
  readonly holder?: string;
}

export interface RunRecord {
  /** Name of what it restored. */
  readonly beside: string;
  /** Id and digest of the backup. */
  readonly backup: string;
  /** What was served before its exchange; absent: nothing was exchanged yet. */
  readonly previous?: string;
}

export type Standing = 'nothing' | 'before' | 'swapped' | 'undone';

export function standing(pointer: Pointer, run: string): Standing {
  const record = recordOf(pointer, run);
  if (record === undefined) return 'nothing';
  if (pointer.live === record.beside) return 'swapped';
  return record.previous === undefined ? 'before' : 'undone';
}

export function recordOf({ runs }: Pointer, run: string): RunRecord | undefined {
  return Object.hasOwn(runs, run) ? runs[run] : undefined;
}

/** A restore begins: what this run may have left is not whole any more, and earlier runs are fenced out. */
export function begun(pointer: Pointer, run: string): Pointer {
  return { ...pointer, holder: run, runs: without(pointer.runs, run) };
}

/** The restore came to its end. @throws STORE_FENCED when another run began meanwhile */
export function restored(pointer: Pointer, run: string, record: RunRecord): Pointer {
  requireHolder(pointer, run);
  return { ...pointer, runs: { ...pointer.runs, [run]: record } };
}

/** @throws STORE_FAILED when the run restored nothing, STORE_FENCED when another run began after it */
export function swappedIn(pointer: Pointer, run: string): Pointer {
  const record = recordOf(pointer, run);
  if (record === undefined) throw refused(`run ${run} has restored nothing beside ${pointer.live}`);
  if (pointer.live === record.beside) return pointer;
  requireHolder(pointer, run);
  const exchanged = { ...record, previous: pointer.live };
  return { ...pointer, live: record.beside, runs: { ...pointer.runs, [run]: exchanged } };
}

/** @throws STORE_FAILED unless what the run exchanged is what is served */
export function swappedBack(pointer: Pointer, run: string): Pointer {
  const record = recordOf(pointer, run);
  if (record?.previous === undefined) throw refused(`run ${run} has exchanged nothing, or finalized it`);
  if (pointer.live === record.previous) return pointer;
  if (pointer.live !== record.beside) throw refused(`${pointer.live} came after the exchange of run ${run}`);
  return { ...pointer, live: record.previous };
}

/** What a run keeps beside the live database and nobody else needs. */
export function leftBy(pointer: Pointer, run: string): readonly string[] {
  const record = recordOf(pointer, run);
  if (record === undefined) return [];
  const others = Object.entries(pointer.runs).filter(([name]) => name !== run);
  const needed = new Set([pointer.live, ...others.flatMap(([, { beside, previous }]) => [beside, previous])]);
  return [record.beside, record.previous].filter((name) => name !== undefined && !needed.has(name)) as string[];
}

export function finalized(pointer: Pointer, run: string): Pointer {
  const { holder, ...rest } = pointer;
  return { ...rest, ...(holder === undefined || holder === run ? {} : { holder }), runs: without(pointer.runs, run) };
}

/** Whether nobody wrote it meanwhile. */
export function samePointer(left: Pointer, right: Pointer): boolean {
  return canonicalJson(left) === canonicalJson(right);
}

/**
 * A name that nothing else has: what stands under it may only be what this run left half done. Neo4j's names are of letters,
 * digits, dots and dashes, at most 63 of them; long ones are cut and told apart by a digest.
 */
export function besideName(pointer: Pointer, run: string): string {
  const base = pointer.live.replace(/-bs-.*$/, '');
  const plain = run.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const isPlain = base.length + plain.length <= 52 && /^[a-z0-9-]+$/.test(run);
  const digest = createHash('sha256').update(`${base}/${run}`).digest('hex').slice(0, 12);
  const wanted = isPlain ? `${base}-bs-${plain}` : `${base.slice(0, 40)}-bs-${digest}`;
  const others = Object.entries(pointer.runs).filter(([name]) => name !== run);
  const taken = new Set([pointer.live, ...others.flatMap(([, { beside, previous }]) => [beside, previous])]);
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted}-${number}`;
  return name;
}

function without<T>(all: Readonly<Record<string, T>>, name: string): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => key !== name));
}

function requireHolder({ holder }: Pointer, run: string): void {
  if (holder === run) return;
  const whose = holder === undefined ? 'no run' : `run ${holder}`;
  throw new BackstayError('STORE_FENCED', `the graph belongs to ${whose} by now`, {
    details: { holder: holder ?? null },
  });
}

function refused(why: string): BackstayError {
  return new BackstayError('STORE_FAILED', why, { next: 'Nothing was exchanged.' });
}
