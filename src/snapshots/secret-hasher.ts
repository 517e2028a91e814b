import { createHmac } from 'node:crypto';
import { BackstayError } from '../errors/index.ts';
import { keyOf, type KubeObject, type ObjectKey } from '../model/index.ts';
import type { SecretHasher } from '../ports/index.ts';

const HASH = /^hmac-sha256:[0-9a-f]{8}:[0-9a-f]{64}$/;
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** A hasher that also answers for single values: what the store needs to prove that values and hashes belong together. */
export interface ComparisonHasher extends SecretHasher {
  /** 8 hex digits that name the key without giving it away. */
  readonly keyId: string;
  /** Hash of one value (base64, as in `data`). Bound to its object and key: equal values elsewhere do not look equal. */
  hashOf(object: ObjectKey, dataKey: string, base64: string): string;
}

/** Throws KEY_MISSING unless the key is 32 bytes in base64. */
export function createSecretHasher(key: string): ComparisonHasher {
  const bytes = Buffer.from(key, 'base64');
  if (bytes.length !== 32) {
    throw new BackstayError(
      'KEY_MISSING',
      `The comparison key is ${bytes.length} bytes long; 32 bytes in base64 are expected.`,
    );
  }
  const keyId = createHmac('sha256', bytes).update('backstay comparison key id').digest('hex').slice(0, 8);
  const hashOf = (object: ObjectKey, dataKey: string, base64: string): string => {
    const mac = createHmac('sha256', bytes).update(`${object}\0${dataKey}\0`).update(Buffer.from(base64, 'base64'));
    return `hmac-sha256:${keyId}:${mac.digest('hex')}`;
  };
  return {
    keyId,
    hashOf,
    hide(objects) {
      const secrets = new Map<ObjectKey, Readonly<Record<string, string>>>();
      const hidden = objects.map((object) => (isSecret(object) ? hideOne(object, hashOf, secrets) : object));
      return { objects: hidden, secrets };
    },
    reveal: (objects, secrets) =>
      objects.map((object) => (isSecret(object) ? revealOne(object, secrets.get(keyOf(object))) : object)),
  };
}

export function isSecret(object: KubeObject): boolean {
  return object.kind === 'Secret' && object.apiVersion === 'v1';
}

/** A Secret's hashed values by data key. Throws INTERNAL when one is not a hash: it must never be stored. */
export function hashesOf(secret: KubeObject): Readonly<Record<string, string>> {
  const data = stringsOf(secret.data);
  const open = Object.keys(data).find((name) => !isHash(data[name]));
  if (open !== undefined || secret.stringData !== undefined) {
    throw new BackstayError(
      'INTERNAL',
      `${keyOf(secret)} would be stored with values in clear (${open ?? 'stringData'}).`,
    );
  }
  return data;
}

function isHash(value: string | undefined): boolean {
  return value !== undefined && HASH.test(value);
}

function hideOne(
  object: KubeObject,
  hashOf: ComparisonHasher['hashOf'],
  secrets: Map<ObjectKey, Readonly<Record<string, string>>>,
): KubeObject {
  const key = keyOf(object);
  const { stringData, data, ...rest } = object;
  // As the API server does it: stringData is written over data.
  const plain = Object.entries(stringsOf(stringData)).map(
    ([name, value]) => [name, Buffer.from(value).toString('base64')] as const,
  );
  const values = { ...stringsOf(data), ...Object.fromEntries(plain) };
  // `:` is no base64 digit: what looks like a hash has been hidden before.
  const open = Object.entries(values).filter(([, value]) => !isHash(value));
  if (open.length > 0) secrets.set(key, Object.fromEntries(open));
  const hashes = Object.entries(values).map(
    ([name, value]) => [name, isHash(value) ? value : hashOf(key, name, value)] as const,
  );
  const hidden = {
    ...rest,
    ...(hashes.length === 0 && data === undefined ? {} : { data: Object.fromEntries(hashes) }),
  };
  return withoutLastApplied(hidden);
}

/** kubectl keeps the whole applied object there, values included. */
function withoutLastApplied(object: KubeObject): KubeObject {
  const { annotations, ...metadata } = object.metadata;
  if (annotations?.[LAST_APPLIED] === undefined) return object;
  const others = Object.entries(annotations).filter(([name]) => name !== LAST_APPLIED);
  return {
    ...object,
    metadata: { ...metadata, ...(others.length === 0 ? {} : { annotations: Object.fromEntries(others) }) },
  };
}

function revealOne(object: KubeObject, values: Readonly<Record<string, string>> | undefined): KubeObject {
  const data = stringsOf(object.data);
  if (!Object.values(data).some(isHash)) return object;
  const revealed = Object.entries(data).map(([name, value]) => {
    if (!isHash(value)) return [name, value] as const;
    const real = values?.[name];
    if (real === undefined) {
      throw new BackstayError(
        'SECRETS_UNREADABLE',
        `The value of ${name} in ${keyOf(object)} is not among the secrets of the snapshot.`,
        {
          next: 'Capture or import the snapshot again with its secrets, or leave the Secret out of the scope.',
          details: { object: keyOf(object), key: name },
        },
      );
    }
    return [name, real] as const;
  });
  return { ...object, data: Object.fromEntries(revealed) };
}

function stringsOf(value: unknown): Readonly<Record<string, string>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, string>>) : {};
}
