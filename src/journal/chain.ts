import { type Digest, digestOfBytes } from '../model/index.ts';
import type { JournalEntry } from './entry.ts';

/**
 * The text that stores keep, byte for byte. Parsing it and writing it again gives the same bytes, so that a link can be
 * computed from either.
 */
export function textOf(entry: JournalEntry): string {
  return JSON.stringify(entry);
}

/** What the next entry of the run names as `previous`: the digest of this entry's text, its own `previous` within. */
export function linkOf(entry: JournalEntry): Digest {
  const known = links.get(entry);
  if (known !== undefined) return known;
  const link = digestOfBytes(textOf(entry));
  links.set(entry, link);
  return link;
}

/** For a store that has proven the entry to be its text: the link need not be computed a second time. */
export function rememberLink(entry: JournalEntry, link: Digest): void {
  links.set(entry, link);
}

/** An entry is never changed in place, so its link is computed once: by the fold, the store and the next entry. */
const links = new WeakMap<JournalEntry, Digest>();
