import { canonicalJson, type JsonObject } from '../../model/index.ts';
import type { Path } from '../codec.ts';
import type { Plugin } from '../plugin.ts';
import { contradiction, makePassword, type PasswordRules } from './password.ts';

const VERSION = '4.21.2';
const PASSWORD = 'random:index/randomPassword:RandomPassword';
const SECRETS: readonly Path[] = [['result'], ['bcryptHash']];
/** bcrypt's cost in the official plugin. */
const BCRYPT_COST = 10;

/**
 * The type of package `random` that the program uses, with the official plugin's inputs, outputs and id, so that either
 * can go on with the other's state. A password never changes while its rules and keepers stay; a changed rule replaces it.
 */
export const randomPlugin: Plugin = {
  name: 'random',
  version: VERSION,
  async check({ type, news }) {
    const inputs = { ...news };
    if (type !== PASSWORD)
      return { inputs, failures: [{ property: '', reason: `${type} is served by the official plugin only` }] };
    if (news.unknowns.length > 0) return { inputs, failures: [] };
    const problem = contradiction(rulesOf(news.value));
    return { inputs, failures: problem === undefined ? [] : [problem] };
  },
  async diff({ olds, news }) {
    const [before, after] = [described(olds.value), described(news.value)];
    const properties = Object.keys(after).filter(
      (name) => canonicalJson(before[name] ?? null) !== canonicalJson(after[name] ?? null),
    );
    return { changed: properties.length > 0, properties, replaces: properties, deleteFirst: false };
  },
  async create({ inputs, preview }) {
    const rules = described(inputs.value);
    const unknowns = preview ? [...inputs.unknowns, ...SECRETS] : inputs.unknowns;
    if (preview) return { id: 'none', outputs: { value: rules, secrets: SECRETS, unknowns } };
    const result = makePassword(rulesOf(inputs.value));
    const { hash } = await import('bcryptjs');
    const value = { ...rules, id: 'none', result, bcryptHash: await hash(result, BCRYPT_COST) };
    return { id: 'none', outputs: { value, secrets: SECRETS } };
  },
  async read({ state, inputs }) {
    return { outputs: { value: state.value, secrets: SECRETS }, inputs };
  },
  async update({ olds }) {
    return { value: olds.value, secrets: SECRETS };
  },
  async delete() {
    // A password exists in the state only.
  },
};

function rulesOf(inputs: JsonObject): PasswordRules {
  return described(inputs) as unknown as PasswordRules;
}

/** Inputs or outputs with defaults filled in and nothing else. `number` is the older name of `numeric`. */
function described(from: JsonObject): JsonObject {
  const flag = (name: string): boolean => from[name] !== false;
  const count = (name: string): number => (typeof from[name] === 'number' ? from[name] : 0);
  const numeric = typeof from['numeric'] === 'boolean' ? from['numeric'] : flag('number');
  return {
    length: count('length'),
    lower: flag('lower'),
    upper: flag('upper'),
    numeric,
    number: numeric,
    special: flag('special'),
    minLower: count('minLower'),
    minUpper: count('minUpper'),
    minNumeric: count('minNumeric'),
    minSpecial: count('minSpecial'),
    ...(typeof from['overrideSpecial'] === 'string' ? { overrideSpecial: from['overrideSpecial'] } : {}),
    ...(typeof from['keepers'] === 'object' && from['keepers'] !== null ? { keepers: from['keepers'] } : {}),
  };
}
