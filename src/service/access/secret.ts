import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Of `bst_` and `bss_`: 6 random bytes as hex, by which the record is found, then 32 as base64url, of which only a digest is kept. */
const SHAPE = /^(bst|bss)_([0-9a-f]{12})([A-Za-z0-9_-]{43})$/;

export interface MadeSecret {
  /** Shown once, kept nowhere. */
  readonly text: string;
  readonly id: string;
  /** SHA-256 of the whole text, hex. 256 random bits need no slow hash: there is nothing to guess from. */
  readonly digest: string;
}

/** `bst`: an API token. `bss`: a session of the page. */
export function makeSecret(prefix: 'bst' | 'bss'): MadeSecret {
  const id = randomBytes(6).toString('hex');
  const text = `${prefix}_${id}${randomBytes(32).toString('base64url')}`;
  return { text, id, digest: hash('sha256', text, 'hex') };
}

/** Which record a secret of ours belongs to; undefined for any other text. */
export function idIn(text: string, prefix: 'bst' | 'bss'): string | undefined {
  const [, found, id] = SHAPE.exec(text) ?? [];
  return found === prefix ? id : undefined;
}

/** Takes the same time wherever the two differ. */
export function isSecretOf(text: string, digest: string): boolean {
  const given = Buffer.from(hash('sha256', text, 'hex'), 'hex');
  const kept = Buffer.from(digest, 'hex');
  return given.length === kept.length && timingSafeEqual(given, kept);
}
