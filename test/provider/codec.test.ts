import * as fc from 'fast-check';
import structPb from 'google-protobuf/google/protobuf/struct_pb.js';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/model/index.ts';
import { decode, encode } from '../../src/provider/codec.ts';

const SIGNATURE = '4dabf18193072939515e22adb298388d';
const SECRET = '1b47061264138c4ac30d75fd1eb44270';
const OUTPUT = 'd0e6a833031e9bbcd3f4e8bde6ca49a4';
const UNKNOWN = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';

const struct = (value: object): structPb.Struct =>
  structPb.Struct.fromJavaScript(value as { [key: string]: structPb.JavaScriptValue });
const plain = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.string(),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(
    fc.string({ minLength: 1 }).filter((key) => key !== '__proto__'),
    tie('value'),
    { maxKeys: 3 },
  ),
})).object;

describe('the codec of the provider protocol', () => {
  it('gives back plain values as they were sent', () => {
    fc.assert(
      fc.property(plain, (value) => {
        expect(decode(structPb.Struct.deserializeBinary(encode(value as JsonObject).serializeBinary()))).toEqual({
          value: JSON.parse(JSON.stringify(value)) as JsonObject,
          secrets: [],
          unknowns: [],
        });
      }),
    );
  });

  it('wraps secrets at their places, a secret within a secret included, and finds them again', () => {
    const value = { data: { password: 'x', other: 'y' }, list: [{ token: 't' }] };
    const secrets = [['data'], ['data', 'password'], ['list', 0, 'token'], ['absent', 'place']];
    const sent = encode(value, { secrets });
    expect(sent.toJavaScript()).toEqual({
      data: { [SIGNATURE]: SECRET, value: { password: { [SIGNATURE]: SECRET, value: 'x' }, other: 'y' } },
      list: [{ token: { [SIGNATURE]: SECRET, value: 't' } }],
    });
    const received = decode(sent);
    expect(received.value).toEqual(value);
    expect(received.secrets).toEqual([['data'], ['data', 'password'], ['list', 0, 'token']]);
  });

  it('reads outputs: their value, that they are secret, and that they are not known yet', () => {
    const received = decode(
      struct({
        known: { [SIGNATURE]: OUTPUT, value: { a: 1 }, secret: true, dependencies: [] },
        coming: { [SIGNATURE]: OUTPUT, dependencies: ['urn'] },
        later: UNKNOWN,
        list: ['a', UNKNOWN],
      }),
    );
    expect(received.value).toEqual({ known: { a: 1 }, list: ['a', null] });
    expect(received.secrets).toEqual([['known']]);
    expect(received.unknowns).toEqual([['coming'], ['later'], ['list', 1]]);
  });

  it('writes unknowns at places that have no value', () => {
    expect(encode({ a: 1 }, { unknowns: [['status', 'phase']] }).toJavaScript()).toEqual({
      a: 1,
      status: { phase: UNKNOWN },
    });
  });

  it('leaves out what is undefined', () => {
    expect(encode({ a: undefined, b: { c: undefined, d: 1 } } as unknown as JsonObject).toJavaScript()).toEqual({
      b: { d: 1 },
    });
  });

  it('refuses assets by their place', () => {
    const asset = { [SIGNATURE]: 'c44067f5952c0a294b673a41bacd8c17', text: 'x' };
    expect(() => decode(struct({ data: { file: asset } }))).toThrow(/data\.file is an asset/);
  });
});
