import * as fc from 'fast-check';
import { compare } from 'bcryptjs';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/model/index.ts';
import type { Marked } from '../../../src/provider/codec.ts';
import { makePassword } from '../../../src/provider/random/password.ts';
import { randomPlugin } from '../../../src/provider/random/plugin.ts';

const resource = {
  urn: 'urn:pulumi:s::p::random:index/randomPassword:RandomPassword::n',
  type: 'random:index/randomPassword:RandomPassword',
};
const marked = (value: JsonObject): Marked => ({ value, secrets: [], unknowns: [] });
const signal = new AbortController().signal;
const create = async (inputs: JsonObject) =>
  randomPlugin.create({ ...resource, inputs: marked(inputs), preview: false, signal });
const least = fc.nat({ max: 4 });

describe('a random password', () => {
  it('has its length and at least so many of each kind', () => {
    fc.assert(
      fc.property(
        least,
        least,
        least,
        least,
        fc.nat({ max: 30 }),
        (minLower, minUpper, minNumeric, minSpecial, more) => {
          const length = Math.max(1, minLower + minUpper + minNumeric + minSpecial + more);
          const rules = {
            length,
            lower: true,
            upper: true,
            numeric: true,
            special: true,
            minLower,
            minUpper,
            minNumeric,
            minSpecial,
          };
          const password = makePassword({ ...rules, overrideSpecial: '#%' });
          const count = (kind: RegExp): number => [...password.matchAll(kind)].length;
          expect(password).toHaveLength(length);
          expect(password).toMatch(/^[a-zA-Z0-9#%]*$/);
          expect(count(/[a-z]/g)).toBeGreaterThanOrEqual(minLower);
          expect(count(/[A-Z]/g)).toBeGreaterThanOrEqual(minUpper);
          expect(count(/[0-9]/g)).toBeGreaterThanOrEqual(minNumeric);
          expect(count(/[#%]/g)).toBeGreaterThanOrEqual(minSpecial);
        },
      ),
    );
  });

  it('has the official plugin’s id, outputs and secrets', async () => {
    const { id, outputs } = await create({ length: 24, special: false });
    expect(id).toBe('none');
    const { result, bcryptHash, ...rest } = outputs.value;
    expect(rest).toEqual({
      id: 'none',
      length: 24,
      lower: true,
      upper: true,
      numeric: true,
      number: true,
      special: false,
      minLower: 0,
      minUpper: 0,
      minNumeric: 0,
      minSpecial: 0,
    });
    expect(result).toMatch(/^[a-zA-Z0-9]{24}$/);
    expect(await compare(result as string, bcryptHash as string)).toBe(true);
    expect(outputs.secrets).toEqual([['result'], ['bcryptHash']]);
  });

  it('is another one each time', async () => {
    const made = await Promise.all(Array.from({ length: 3 }, () => create({ length: 20 })));
    expect(new Set(made.map(({ outputs }) => outputs.value['result'])).size).toBe(3);
  });

  it('stays while its rules stay, also in the state of the official plugin', async () => {
    const official = {
      __meta: '{"schema_version":"3"}',
      bcryptHash: 'h',
      id: 'none',
      length: 16,
      lower: true,
      minLower: 0,
      minNumeric: 0,
      minSpecial: 0,
      minUpper: 0,
      number: true,
      numeric: true,
      result: 'r',
      special: true,
      upper: true,
    };
    const diff = await randomPlugin.diff({
      ...resource,
      id: 'none',
      olds: marked(official),
      news: marked({ length: 16 }),
    });
    expect(diff).toMatchObject({ changed: false, replaces: [] });
    const update = await randomPlugin.update({
      ...resource,
      id: 'none',
      olds: marked(official),
      news: marked({ length: 16 }),
      preview: false,
      signal,
    });
    expect(update.value).toEqual(official);
  });

  it.each([
    { length: 17 },
    { length: 16, special: false },
    { length: 16, keepers: { rotation: '2' } },
    { length: 16, number: false },
  ])('is replaced when its rules become %j', async (rules) => {
    const { outputs } = await create({ length: 16 });
    const diff = await randomPlugin.diff({
      ...resource,
      id: 'none',
      olds: marked(outputs.value),
      news: marked(rules),
    });
    expect(diff.changed).toBe(true);
    expect(diff.replaces).not.toEqual([]);
    expect(diff.deleteFirst).toBe(false);
  });

  it.each([
    [{ length: 0 }, /whole number of at least 1/],
    [{ length: 3, minLower: 2, minUpper: 2 }, /at least 4/],
    [{ length: 8, lower: false, upper: false, numeric: false, special: false }, /no kind of character/],
  ])('refuses %j', async (inputs, reason) => {
    const { failures } = await randomPlugin.check({ ...resource, olds: marked({}), news: marked(inputs) });
    expect(failures[0]?.reason).toMatch(reason);
  });

  it('is unknown in a preview, and never made there', async () => {
    const { outputs } = await randomPlugin.create({
      ...resource,
      inputs: marked({ length: 8 }),
      preview: true,
      signal,
    });
    expect(outputs.value['result']).toBeUndefined();
    expect(outputs.unknowns).toEqual([['result'], ['bcryptHash']]);
  });

  it('knows no other type of its package', async () => {
    const { failures } = await randomPlugin.check({
      ...resource,
      type: 'random:index/randomPet:RandomPet',
      olds: marked({}),
      news: marked({}),
    });
    expect(failures[0]?.reason).toMatch(/official plugin only/);
  });
});
