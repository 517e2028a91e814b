import { hash } from 'node:crypto';
import { canonicalJson, type Digest } from './json.ts';

export function digestOfBytes(bytes: string | Uint8Array): Digest {
  return `sha256:${hash('sha256', bytes, 'hex')}`;
}

/** Equal values have equal digests. Throws TypeError as `canonicalJson` does. */
export function digestOf(value: unknown): Digest {
  return digestOfBytes(canonicalJson(value));
}
