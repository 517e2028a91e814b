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
  return digestOfBytes(textOf(entry));
}
