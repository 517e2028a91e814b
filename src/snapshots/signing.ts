import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { BackstayError } from '../errors/index.ts';
import {
  canonicalJson,
  type Digest,
  digestOf,
  isDigest,
  type SignatureState,
  type SnapshotRecord,
  type Stack,
} from '../model/index.ts';
import { tampered } from './blobs.ts';

/**
 * A detached JWS (RFC 7797: the payload is the record's canonical bytes themselves) as it is stored. `key` in its header is
 * the thumbprint (RFC 7638) of the public key.
 */
export interface SignatureBlob {
  readonly apiVersion: 'backstay.dev/v1';
  readonly kind: 'SnapshotSignature';
  readonly record: Digest;
  readonly protected: string;
  readonly signature: string;
}

type Trusted = Stack['signing']['trusted'];

/**
 * Signs a record with a private key (JWK JSON or PKCS#8 PEM). Errors: KEY_MISSING when it is not one, or not one that the
 * stack trusts. Returns the name that the stack knows the key by.
 */
export async function signRecord(
  record: SnapshotRecord,
  keyText: string,
  trusted: Trusted,
): Promise<{ readonly blob: SignatureBlob; readonly key: string }> {
  const { FlattenedSign, calculateJwkThumbprint } = await import('jose');
  const key = privateKeyOf(keyText);
  const publicKey = xOf(key);
  const name = requireTrusted(publicKey, trusted);
  const payload = canonicalJson(record);
  const jws = await new FlattenedSign(new TextEncoder().encode(payload))
    .setProtectedHeader({
      alg: 'EdDSA',
      b64: false,
      crit: ['b64'],
      kid: await calculateJwkThumbprint(jwkOf(publicKey)),
    })
    .sign(key);
  return {
    blob: {
      apiVersion: 'backstay.dev/v1',
      kind: 'SnapshotSignature',
      record: digestOf(record),
      protected: jws.protected ?? '',
      signature: jws.signature,
    },
    key: name,
  };
}

/**
 * What a signature says about a record. Throws SNAPSHOT_TAMPERED when it claims a trusted key and does not verify: that is
 * never an honest mistake.
 */
export async function checkSignature(
  record: SnapshotRecord,
  blob: SignatureBlob,
  path: string,
  trusted: Trusted,
): Promise<SignatureState> {
  const { calculateJwkThumbprint, decodeProtectedHeader, flattenedVerify, importJWK } = await import('jose');
  let claimed: string;
  try {
    claimed = String(decodeProtectedHeader({ protected: blob.protected }).kid);
  } catch {
    throw tampered(path, 'is not a signature', {});
  }
  for (const { name, publicKey } of trusted) {
    if ((await calculateJwkThumbprint(jwkOf(publicKey))) !== claimed) continue;
    try {
      const payload = new TextEncoder().encode(canonicalJson(record));
      await flattenedVerify({ ...blob, payload }, await importJWK(jwkOf(publicKey), 'EdDSA'), {
        algorithms: ['EdDSA'],
      });
      return { state: 'trusted', key: name };
    } catch (cause) {
      throw new BackstayError(
        'SNAPSHOT_TAMPERED',
        `${path} claims to be signed by ${name}, and the signature does not fit.`,
        {
          at: { file: path },
          details: { path, key: name },
          cause,
        },
      );
    }
  }
  return { state: 'untrusted', key: claimed };
}

/** Throws KEY_MISSING unless the text is a private Ed25519 key whose public part the stack trusts. */
export function proveSigningKey(keyText: string, trusted: Trusted): void {
  requireTrusted(xOf(privateKeyOf(keyText)), trusted);
}

/** JWK `x` (base64url) of a private key's public part. */
export async function publicOf(keyText: string): Promise<string> {
  return xOf(privateKeyOf(keyText));
}

export function isSignatureBlob(value: unknown): value is SignatureBlob {
  const blob = value as Partial<SignatureBlob> | null;
  return (
    typeof blob === 'object' &&
    blob !== null &&
    blob.kind === 'SnapshotSignature' &&
    typeof blob.record === 'string' &&
    isDigest(blob.record) &&
    typeof blob.protected === 'string' &&
    typeof blob.signature === 'string'
  );
}

function requireTrusted(publicKey: string, trusted: Trusted): string {
  const known = trusted.find((key) => key.publicKey === publicKey);
  if (known !== undefined) return known.name;
  throw new BackstayError(
    'KEY_MISSING',
    `The signing key at hand is not trusted by the stack (its public part is ${publicKey}).`,
    {
      next: 'Add the public part to backstay:signing.trusted, or use a key that is there.',
      details: { publicKey, trusted: trusted.map(({ name }) => name) },
    },
  );
}

function privateKeyOf(text: string): KeyObject {
  try {
    const key = text.startsWith('{')
      ? createPrivateKey({ key: JSON.parse(text), format: 'jwk' })
      : createPrivateKey(text);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // The parser's message may quote the key: it goes nowhere.
  }
  throw new BackstayError('KEY_MISSING', 'The signing key is not an Ed25519 private key (JWK JSON or PKCS#8 PEM).');
}

function xOf(key: KeyObject): string {
  return String(createPublicKey(key).export({ format: 'jwk' }).x);
}

function jwkOf(publicKey: string): { kty: 'OKP'; crv: 'Ed25519'; x: string } {
  return { kty: 'OKP', crv: 'Ed25519', x: publicKey };
}
