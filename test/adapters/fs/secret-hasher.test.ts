import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import * as fc from 'fast-check';
import { createSecretHasher } from '../../../src/adapters/fs/index.ts';
import { type KubeObject, keyOf } from '../../../src/model/index.ts';
import { configMap, secret } from '../../support/snapshots.ts';

const hasher = createSecretHasher(randomBytes(32).toString('base64'));
const dataOf = (object: KubeObject | undefined): Record<string, string> => object?.['data'] as Record<string, string>;
const hidden = (object: KubeObject): KubeObject => hasher.hide([object]).objects[0] ?? object;

const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,12}$/);
const secrets = fc.uniqueArray(
  fc.record({ name, values: fc.dictionary(name, fc.string({ unit: 'binary' }), { maxKeys: 5 }) }),
  {
    selector: (entry) => entry.name,
    maxLength: 6,
  },
);

describe('hiding secret values', () => {
  test('and revealing them again gives the very same objects', () => {
    fc.assert(
      fc.property(secrets, (entries) => {
        const objects = [configMap('plain', { a: 'b' }), ...entries.map((entry) => secret(entry.name, entry.values))];
        const result = hasher.hide(objects);
        expect(hasher.reveal(result.objects, result.secrets)).toEqual(objects);
        expect(result.objects[0]).toBe(objects[0]);
      }),
    );
  });

  test('twice changes nothing more', () => {
    fc.assert(
      fc.property(secrets, (entries) => {
        const once = hasher.hide(entries.map((entry) => secret(entry.name, entry.values)));
        const twice = hasher.hide(once.objects);
        expect(twice.objects).toEqual(once.objects);
        expect(twice.secrets.size).toBe(0);
      }),
    );
  });

  test('lets equal values be told from different ones by who has only the hashes', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(dataOf(hidden(secret('s', { k: a })))['k'] === dataOf(hidden(secret('s', { k: b })))['k']).toBe(a === b);
      }),
    );
  });

  test('does not give away that two secrets, keys or stacks share a value', () => {
    const other = createSecretHasher(randomBytes(32).toString('base64'));
    const hashes = [
      ...Object.values(dataOf(hidden(secret('s', { a: 'x', b: 'x' })))),
      ...Object.values(dataOf(hidden(secret('t', { a: 'x' })))),
      ...Object.values(dataOf(other.hide([secret('s', { a: 'x' })]).objects[0])),
    ];
    expect(new Set(hashes).size).toBe(4);
    expect(hashes.every((hash) => /^hmac-sha256:[0-9a-f]{8}:[0-9a-f]{64}$/.test(hash))).toBe(true);
  });

  test('compares bytes, not their writing: base64 with line breaks is the same value', () => {
    const value = Buffer.from('a value long enough to be broken').toString('base64');
    const broken = { ...secret('s', {}), data: { k: `${value.slice(0, 20)}\n${value.slice(20)}` } };
    expect(dataOf(hidden(broken))).toEqual(dataOf(hidden(secret('s', { k: 'a value long enough to be broken' }))));
  });

  test('takes stringData over data, as the API server does, and drops what kubectl last applied', () => {
    const object: KubeObject = {
      ...secret('s', { k: 'old' }),
      stringData: { k: 'new' },
      metadata: {
        name: 's',
        namespace: 'production',
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"stringData":"new"}' },
      },
    };
    const result = hasher.hide([object]);
    expect(result.objects).toEqual(hasher.hide([secret('s', { k: 'new' })]).objects);
    expect(result.secrets.get(keyOf(object))).toEqual({ k: Buffer.from('new').toString('base64') });
  });

  test('leaves Secrets of other groups and Secrets without data as they are', () => {
    const foreign: KubeObject = {
      apiVersion: 'acme.dev/v1',
      kind: 'Secret',
      metadata: { name: 's' },
      data: { k: 'v' },
    };
    const empty: KubeObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'e', namespace: 'n' },
      type: 'Opaque',
    };
    expect(hasher.hide([foreign, empty])).toEqual({ objects: [foreign, empty], secrets: new Map() });
  });
});

test('a value that is not there cannot be revealed, and object and key are named', () => {
  const result = hasher.hide([secret('db', { password: 'x' })]);
  expect(() => hasher.reveal(result.objects, new Map())).toThrow(/password in core\/Secret\/production\/db/);
});

test.each(['', 'AAAA', 'not base64 at all', randomBytes(33).toString('base64')])('"%s" is no comparison key', (key) => {
  expect(() => createSecretHasher(key)).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }) as Error);
});
