import structPb from 'google-protobuf/google/protobuf/struct_pb.js';
import type { Json, JsonObject } from '../model/index.ts';

/** A property's place: field names and list positions. */
export type Path = readonly (string | number)[];

/** Plain JSON beside the places that Pulumi marks; at an unknown's place the plain value has nothing. */
export interface Marked {
  readonly value: JsonObject;
  readonly secrets: readonly Path[];
  readonly unknowns: readonly Path[];
}

type Struct = structPb.Struct;
type Mutable = { [key: string]: Json };

/** The key by which the engine tells marked values from plain maps, and its values (Pulumi's provider protocol). */
const SIGNATURE = '4dabf18193072939515e22adb298388d';
const SECRET = '1b47061264138c4ac30d75fd1eb44270';
const OUTPUT = 'd0e6a833031e9bbcd3f4e8bde6ca49a4';
const RESOURCE = '5cf8f73096256a8f31e491e813e4eb8e';

/** A value that is not known yet during a preview, one sentinel a type. */
const UNKNOWN = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';
const UNKNOWNS: ReadonlySet<unknown> = new Set([
  UNKNOWN,
  '1c4a061d-8072-4f0a-a4cb-0ff528b18fe7',
  '3eeb2bf0-c639-47a8-9e75-3b44932eb421',
  '6a19a0b0-7e62-4c92-b797-7f8e31da9cc2',
  '030794c1-ac77-496b-92df-f27374a8bd58',
  'e48ece36-62e2-4504-bad9-02848725956a',
  'dd056dcd-154b-4c76-9bd3-c8f88648b5ff',
]);

/**
 * Reads a protobuf Struct of the engine. Secrets are unwrapped and their places noted, outputs with a value count as that
 * value, resource references as their id. Throws TypeError on what has no JSON form here (assets, archives).
 */
export function decode(struct: Struct | undefined): Marked {
  const secrets: Path[] = [];
  const unknowns: Path[] = [];
  const value = struct === undefined ? {} : (unwrap(struct.toJavaScript(), [], secrets, unknowns) ?? {});
  return { value: value as JsonObject, secrets, unknowns };
}

/** Writes plain JSON as a Struct, with the values at `secrets` wrapped as secrets and those at `unknowns` as unknown. */
export function encode(
  value: JsonObject,
  marks: { readonly secrets?: readonly Path[]; readonly unknowns?: readonly Path[] } = {},
): Struct {
  let marked: Json = plainCopy(value) ?? {};
  for (const path of marks.unknowns ?? []) marked = replaceAt(marked, path, () => UNKNOWN, true);
  // Deepest first: a secret within a secret is wrapped before what holds it.
  const secrets = [...(marks.secrets ?? [])].sort((a, b) => b.length - a.length);
  for (const path of secrets) marked = replaceAt(marked, path, wrapSecret, false);
  return structPb.Struct.fromJavaScript(marked as { [key: string]: structPb.JavaScriptValue });
}

function wrapSecret(value: Json): Json {
  const already = isObject(value) && value[SIGNATURE] === SECRET;
  return already ? value : { [SIGNATURE]: SECRET, value };
}

function unwrap(value: Json, path: Path, secrets: Path[], unknowns: Path[]): Json | undefined {
  if (UNKNOWNS.has(value)) {
    unknowns.push(path);
    return undefined;
  }
  if (Array.isArray(value))
    return value.map((item: Json, index) => unwrap(item, [...path, index], secrets, unknowns) ?? null);
  if (!isObject(value)) return value;
  switch (value[SIGNATURE]) {
    case undefined:
      return unwrapFields(value, path, secrets, unknowns);
    case SECRET:
      secrets.push(path);
      return unwrap(value['value'] ?? null, path, secrets, unknowns);
    case OUTPUT:
      if (value['secret'] === true) secrets.push(path);
      if (value['value'] !== undefined) return unwrap(value['value'], path, secrets, unknowns);
      unknowns.push(path);
      return undefined;
    case RESOURCE:
      return unwrap(value['id'] ?? null, path, secrets, unknowns);
    default:
      throw new TypeError(`${path.join('.')} is an asset or archive, which a Kubernetes object cannot hold`);
  }
}

function unwrapFields(value: JsonObject, path: Path, secrets: Path[], unknowns: Path[]): JsonObject {
  const fields: Mutable = {};
  for (const [name, field] of Object.entries(value)) {
    const plain = unwrap(field, [...path, name], secrets, unknowns);
    if (plain !== undefined) fields[name] = plain;
  }
  return fields;
}

/** A copy without undefined fields, which a Struct cannot hold. */
function plainCopy(value: unknown): Json | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return value.map((item) => plainCopy(item) ?? null);
  if (typeof value !== 'object' || value === null) return value as Json;
  const fields: Mutable = {};
  for (const [name, field] of Object.entries(value)) {
    const plain = plainCopy(field);
    if (plain !== undefined) fields[name] = plain;
  }
  return fields;
}

/** A place that is not there stays away, unless `make` is set. */
function replaceAt(value: Json, path: Path, change: (value: Json) => Json, make: boolean): Json {
  const [head, ...rest] = path;
  if (head === undefined) return change(value);
  if (Array.isArray(value)) {
    const list: readonly Json[] = value;
    return list.map((item, index) => (index === head ? replaceAt(item, rest, change, make) : item));
  }
  if (!isObject(value)) return value;
  if (value[SIGNATURE] === SECRET) return { ...value, value: replaceAt(value['value'] ?? null, path, change, make) };
  const field = value[head];
  if (field === undefined && !make) return value;
  return { ...value, [head]: replaceAt(field ?? {}, rest, change, make) };
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
