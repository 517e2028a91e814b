import { BackstayError } from '../errors/index.ts';
import { type Digest, digestOfBytes } from '../model/index.ts';
import { rememberLink } from './chain.ts';
import type { JournalEntry } from './entry.ts';

/** An entry as a store gives it back: its number, and its text byte for byte. */
export interface StoredText {
  readonly sequence: number;
  readonly text: string;
}

/** The last entry of a run: its number and its link. Stores keep it beside the entries and write both together. */
export interface Head {
  readonly sequence: number;
  readonly link: Digest;
}

export interface StoredRun {
  readonly run: string;
  /** For people: the file, or the database. */
  readonly where: string;
  /** In the order of their numbers. */
  readonly texts: readonly StoredText[];
  /** Undefined: the store knows no such run. */
  readonly head: Head | undefined;
  /** What was proven before: `texts` begin behind it. Absent: they begin with the first. */
  readonly after?: Head;
}

/**
 * The entries of a run, proven to be what was written: none is missing at the beginning, in between or at the end, and no
 * byte of one was changed, also none that JSON would forgive. Entries of format 1 have no links and are vouched for from the
 * first entry of format 2 on. @throws JOURNAL_BROKEN naming run, entry and place.
 */
export function proven({ run, where, texts, head, after }: StoredRun): readonly JournalEntry[] {
  const said: Said = { run, where };
  if (head === undefined) {
    if (texts.length === 0 && after === undefined) return [];
    throw damaged(said, `its head is missing: nothing says which entry of it is the last`);
  }
  const begin = after?.sequence ?? 0;
  for (let i = 0; begin + i < head.sequence; i++) {
    if (texts[i]?.sequence !== begin + i + 1)
      throw damaged(said, `entry ${begin + i + 1} of it is missing`, begin + i + 1);
  }
  if (begin + texts.length > head.sequence) {
    const extra = head.sequence + 1;
    throw damaged(said, `entry ${extra} of it was not written by Backstay: its head ends before it`, extra);
  }
  const entries = texts.map((stored) => parsed(stored, said));
  assertLinked(entries, texts, head, after, said);
  return entries;
}

interface Said {
  readonly run: string;
  readonly where: string;
}

function parsed({ sequence, text }: StoredText, said: Said): JournalEntry {
  let entry: JournalEntry;
  try {
    entry = JSON.parse(text) as JournalEntry;
  } catch {
    throw changed(sequence, said);
  }
  if (JSON.stringify(entry) !== text || entry.run !== said.run || entry.sequence !== sequence) {
    throw changed(sequence, said);
  }
  return entry;
}

function assertLinked(
  entries: readonly JournalEntry[],
  texts: readonly StoredText[],
  head: Head,
  after: Head | undefined,
  said: Said,
): void {
  const links = texts.map(({ text }) => digestOfBytes(text));
  /** Whether what follows entry `i` names it as it stands. Undefined: nothing that follows says so. */
  const isVouchedFor = (i: number): boolean | undefined => {
    const next = entries[i + 1];
    if (next === undefined) return links[i] === head.link;
    return next.previous === undefined && next.format < 2 ? undefined : next.previous === links[i];
  };
  const before = after === undefined ? undefined : after.link;
  if (entries.length === 0 && before !== head.link) throw changed(head.sequence, said);
  for (const [i, entry] of entries.entries()) {
    const previous = i === 0 ? before : links[i - 1];
    if (entry.previous === previous || (entry.format < 2 && entry.previous === undefined)) continue;
    // Either of the two may have been changed. One that its follower vouches for was not.
    const culprit = i > 0 && isVouchedFor(i) === true ? entry.sequence - 1 : entry.sequence;
    throw changed(culprit, said);
  }
  if (entries.length > 0 && links.at(-1) !== head.link) throw changed(head.sequence, said);
  for (const [i, entry] of entries.entries()) rememberLink(entry, links[i]!);
}

function changed(entry: number, said: Said): BackstayError {
  return damaged(said, `entry ${entry} of it was changed after it was written`, entry);
}

function damaged({ run, where }: Said, what: string, entry?: number): BackstayError {
  return new BackstayError('JOURNAL_BROKEN', `the journal of run ${run} in ${where} is damaged: ${what}`, {
    next: 'Restore the journal from a backup. `backstay history` shows which runs can still be read.',
    details: { run, where, ...(entry === undefined ? {} : { entry }) },
  });
}
