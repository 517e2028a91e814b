import { BackstayError } from '../errors/index.ts';
import { canonicalJson, type Digest, digestOf, displayName, keyOf, type Plan } from '../model/index.ts';
import { jsonFault, placeOf } from './json-fault.ts';
import { hashOfPlan } from './make-plan.ts';

/** Grows when the meaning of a plan file changes. */
const PLAN_FILE_FORMAT = 1;

interface PlanFile {
  readonly apiVersion: 'backstay.dev/v1';
  readonly kind: 'PlanFile';
  readonly format: number;
  /** Digest of everything else in the file. */
  readonly digest: Digest;
  /** Digest of each part of the plan, so that what was altered can be named. */
  readonly parts: Readonly<Record<string, Digest>>;
  readonly plan: Plan;
}

/** The text of a plan file. Secret values are not in it: a plan holds their hashes. Pure. */
export function planFileText(plan: Plan): string {
  const parts = Object.fromEntries([...partsOf(plan)].map(([name, { value }]) => [name, digestOf(value)]));
  const rest = { apiVersion: 'backstay.dev/v1', kind: 'PlanFile', format: PLAN_FILE_FORMAT, parts, plan } as const;
  const file: PlanFile = { ...rest, digest: digestOf(rest) };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/**
 * The plan of such a text, exactly as it was written: not one byte may be another. Pure.
 * @throws PLAN_ALTERED naming the part, or the line and column; PLAN_FORMAT for a file of another format.
 */
export function readPlanFile(bytes: Uint8Array, file: string): Plan {
  const text = decoded(bytes, file);
  const fault = jsonFault(text);
  if (fault !== undefined) throw altered(file, 'it is not JSON from here on', fault);
  const found = JSON.parse(text) as Partial<PlanFile> | null;
  if (found?.kind !== 'PlanFile' || found.apiVersion !== 'backstay.dev/v1')
    throw altered(file, 'it is no plan file: kind or apiVersion is another');
  if (found.format !== PLAN_FILE_FORMAT) {
    throw new BackstayError(
      'PLAN_FORMAT',
      `${file} is of format ${JSON.stringify(found.format)}; this program knows format ${PLAN_FILE_FORMAT}.`,
      { at: { file }, details: { format: found.format, known: PLAN_FILE_FORMAT } },
    );
  }
  const problem = problemOf(found);
  if (problem !== undefined) throw altered(file, problem);
  // Digests are of values. What JSON forgives (blanks, escapes, a repeated key) was not written by us either.
  const plan = found.plan as Plan;
  const written = planFileText(plan);
  if (written === text) return plan;
  let at = 0;
  while (written[at] === text[at]) at += 1;
  throw altered(file, 'it is not written as it was from here on', placeOf(text, at));
}

function decoded(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    throw altered(file, 'it is not UTF-8 from here on', placeOf(text, Math.max(0, text.indexOf('\ufffd'))));
  }
}

/** What is not as it was written, in the words of the file; undefined when every digest fits. */
function problemOf({ plan, parts, digest, ...rest }: Partial<PlanFile>): string | undefined {
  if (!isRecord(plan) || !isRecord(parts)) return 'plan or parts is missing';
  const now = partsOf(plan);
  const fits = safeDigest({ ...rest, parts, plan }) === digest;
  const names = [...new Set([...now.keys(), ...Object.keys(parts)])];
  const wrong = names.flatMap((name): string[] => {
    const part = now.get(name);
    if (part === undefined) return [`plan.${name} is missing`];
    if (!Object.hasOwn(parts, name)) return [`${part.said} was added`];
    return safeDigest(part.value) === parts[name] ? [] : [`${part.said} was altered`];
  });
  // Where the plan still fits its own hash, it is the list of digests that was changed.
  if (wrong.length > 0 && safeDigest(withoutHash(plan)) === plan.hash) {
    const first = names.find((name) => now.get(name) === undefined || safeDigest(now.get(name)?.value) !== parts[name]);
    return `parts[${JSON.stringify(first)}] was altered`;
  }
  if (wrong.length > 0) return wrong.join('; ');
  if (hashOfPlan(plan) !== plan.hash) return 'plan.hash was altered';
  return fits ? undefined : 'digest, or a field beside plan and parts, was altered';
}

interface Part {
  readonly said: string;
  readonly value: unknown;
}

const LISTS = ['changes', 'desired', 'steps', 'warnings', 'foreign'];
const RECORDS = ['options', 'target', 'scope', 'approval'];

/** Every field of the plan but its hash, lists by element and records by field. */
function partsOf(plan: object): ReadonlyMap<string, Part> {
  const parts = new Map<string, Part>();
  for (const [field, value] of Object.entries(plan)) {
    if (field === 'hash') continue;
    if (LISTS.includes(field) && Array.isArray(value)) {
      value.forEach((item: unknown, i) => {
        const name = nameOf(field, item);
        parts.set(`${field}[${i}]`, { said: `${field}[${i}]${name === '' ? '' : ` (${name})`}`, value: item });
      });
      parts.set(`${field}.length`, { said: `the number of ${field}`, value: value.length });
    } else if (RECORDS.includes(field) && isRecord(value)) {
      for (const [key, inner] of Object.entries(value))
        parts.set(`${field}.${key}`, { said: `${field}.${key}`, value: inner });
    } else {
      parts.set(field, { said: field, value });
    }
  }
  return parts;
}

/** `configmap shop/a` of a change or an object, the id of a step. */
function nameOf(field: string, item: unknown): string {
  try {
    if (field === 'steps') return (item as Plan['steps'][number]).id;
    if (field !== 'changes' && field !== 'desired') return '';
    const object = item as Plan['desired'][number];
    return displayName(field === 'changes' ? (item as Plan['changes'][number]).key : keyOf(object));
  } catch {
    return '';
  }
}

function withoutHash(plan: object): object {
  const { hash: _, ...rest } = plan as { readonly hash?: unknown };
  return rest;
}

/** A value that cannot be canonicalised (a lone surrogate put there) has no digest, and so fits none. */
function safeDigest(value: unknown): Digest | undefined {
  try {
    return digestOf(value);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function altered(
  file: string,
  what: string,
  place?: { readonly line: number; readonly column: number },
): BackstayError {
  const where = place === undefined ? '' : ` (line ${place.line}, column ${place.column})`;
  return new BackstayError('PLAN_ALTERED', `${file}: ${what}${where}.`, {
    at: { file, ...place },
    details: { what, ...place },
  });
}

/** What is different in another plan to the same end, line by line: for whoever agreed to the first one. Pure. */
export function comparePlans(one: Plan, other: Plan): readonly string[] {
  const ignored = new Set(['createdAt', 'live', 'warnings']);
  const named = (plan: Plan): ReadonlyMap<string, Part> => {
    const lists = [
      ...plan.changes.map(
        (value) => [`change of ${displayName(value.key)}`, { ...value, resourceVersion: '' }] as const,
      ),
      ...plan.steps.map((value) => [`step ${value.title}`, value] as const),
    ];
    const fields = [...partsOf(plan)].filter(
      ([name]) => !/^(changes|desired|steps|warnings|foreign)/.test(name) && !ignored.has(name),
    );
    return new Map([...lists.map(([said, value]) => [said, { said, value }] as const), ...fields]);
  };
  const [before, after] = [named(one), named(other)];
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const [a, b] = [before.get(name), after.get(name)];
    if (a === undefined) return [`+ ${name}`];
    if (b === undefined) return [`- ${name}`];
    return canonicalJson(a.value) === canonicalJson(b.value) ? [] : [`~ ${name}`];
  });
}
