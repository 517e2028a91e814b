import {
  asItWas,
  type Change,
  carryOver,
  type Digest,
  digestOf,
  displayName,
  type FieldChange,
  type ForeignField,
  HELD,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type PlanOptions,
  type Role,
  refOf,
} from '../model/index.ts';
import { describeObject, diffObjects } from './diff.ts';
import { ownership } from './owners.ts';
import { becauseReads, changedKeys, changedReads, configDigestOf, restartable, withConfigDigest } from './restarts.ts';
import { isProtected, type ScopeView } from './scope.ts';
import type { Refusal } from './shape.ts';
import { isWorkload } from './workloads.ts';

/** One live object: as the server sent it and in captured form, both with hashed Secret values. */
export interface LiveObject {
  readonly raw: KubeObject;
  readonly form: KubeObject;
}

export interface CompareInput {
  readonly scope: ScopeView;
  readonly role: (object: KubeObject) => Role;
  readonly live: ReadonlyMap<ObjectKey, LiveObject>;
  /** What is wanted in scope, in captured form, after the API server's defaulting. Secret values hashed. */
  readonly wanted: readonly KubeObject[];
  /** The whole target in captured form, in scope or not. */
  readonly target: ReadonlyMap<ObjectKey, KubeObject>;
  /** Objects that cannot be changed in place, with the API server's reason. */
  readonly immutable: ReadonlyMap<ObjectKey, string>;
  /** The effective one: see effectiveForeign. */
  readonly foreign: readonly ForeignField[];
  readonly options: Pick<PlanOptions, 'takeFrom' | 'deleteProtected'>;
}

export interface Comparison {
  /** By key, in code unit order. */
  readonly changes: readonly Change[];
  readonly desired: readonly KubeObject[];
  readonly warnings: readonly string[];
  readonly refusals: readonly Refusal[];
}

/** Live against wanted, object by object. Pure. What is out of scope appears on neither side of the result. */
export function compare(input: CompareInput): Comparison {
  const draft: Draft = { input, changes: new Map(), desired: new Map(), warnings: [], refusals: [] };
  for (const wanted of input.wanted) compareOne(wanted, draft);
  for (const [key, live] of input.live) if (input.scope.has(key) && !draft.desired.has(key)) remove(key, live, draft);
  restartReaders(draft);
  for (const [key, others] of input.scope.shared) warnAboutShared(key, others, draft);
  const byKey = <T>(map: ReadonlyMap<ObjectKey, T>): readonly T[] =>
    [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
  return {
    changes: byKey(draft.changes),
    desired: byKey(draft.desired),
    warnings: draft.warnings,
    refusals: draft.refusals,
  };
}

interface Draft {
  readonly input: CompareInput;
  readonly changes: Map<ObjectKey, Change>;
  readonly desired: Map<ObjectKey, KubeObject>;
  readonly warnings: string[];
  readonly refusals: Refusal[];
}

function compareOne(wanted: KubeObject, draft: Draft): void {
  const { input } = draft;
  const key = keyOf(wanted);
  const live = input.live.get(key);
  if (live === undefined) {
    draft.desired.set(key, wanted);
    draft.changes.set(key, {
      key,
      ref: refOf(wanted),
      action: 'create',
      fields: describeObject(wanted, 'added'),
      takesOver: [],
    });
    return;
  }
  const fields = diffObjects(live.form, wanted);
  if (fields.length === 0) {
    // As live, to the byte: a list in another order is the same to Kubernetes and must not be written.
    draft.desired.set(key, live.form);
    return;
  }
  const reason = input.immutable.get(key);
  if (reason === undefined) {
    draft.desired.set(key, free(carryOver(live.raw, wanted, { foreign: input.foreign })));
    draft.changes.set(key, update(key, live, wanted, fields, draft));
  } else {
    draft.desired.set(key, wanted);
    replace(key, live, fields, reason, draft);
  }
}

/** What is held at this moment is no part of what is wanted. */
function free(object: KubeObject): KubeObject {
  const { [HELD]: held, ...annotations } = object.metadata.annotations ?? {};
  const released = held === undefined ? object : { ...object, metadata: { ...object.metadata, annotations } };
  return asItWas(released);
}

function update(
  key: ObjectKey,
  live: LiveObject,
  wanted: KubeObject,
  fields: readonly FieldChange[],
  draft: Draft,
): Change {
  const { takesOver, contested } = ownership(live.raw, live.form, wanted, draft.input.options.takeFrom);
  if (contested.length > 0) {
    const managers = [...new Set(contested.map(({ manager }) => manager))].sort();
    const told = contested.map(({ manager, path }) => `${path} (${manager})`).join(', ');
    draft.refusals.push({
      code: 'OBJECT_CONFLICT',
      message: `${displayName(key)} has fields that must change and that another manager owns: ${told}.`,
      next: `Declare the fields foreign in the stack file, or pass --take ${managers.join(',')}.`,
      details: { object: key, contested },
    });
  }
  return { ...seen(key, live), action: 'update', fields, takesOver };
}

function replace(key: ObjectKey, live: LiveObject, fields: readonly FieldChange[], reason: string, draft: Draft): void {
  const { input } = draft;
  const name = displayName(key);
  if (isProtected(key, input.role(live.form)) && !input.options.deleteProtected) {
    draft.refusals.push({
      code: 'PLAN_REFUSED',
      message: `${name} would have to be deleted and created again, which loses what it holds: ${reason}`,
      next: 'Pass --delete-protected if that is what you want.',
      details: { object: key, flag: '--delete-protected' },
    });
  }
  const downtime = isWorkload(live.form) ? ': its pods are gone until the new ones are ready' : '';
  const why = reason.startsWith('--') ? `as ${reason} asks` : 'because a field cannot be changed in place';
  draft.warnings.push(`${name} is deleted and created again, ${why}${downtime}`);
  draft.changes.set(key, { ...seen(key, live), action: 'replace', fields, reason, takesOver: [] });
}

function remove(key: ObjectKey, live: LiveObject, draft: Draft): void {
  const { input } = draft;
  if (isProtected(key, input.role(live.form)) && !input.options.deleteProtected) {
    draft.warnings.push(
      `${displayName(key)} is kept, though the target does not have it (--delete-protected deletes it)`,
    );
    return;
  }
  draft.changes.set(key, {
    ...seen(key, live),
    action: 'delete',
    fields: describeObject(live.form, 'removed'),
    takesOver: [],
  });
}

/** The pods that read a ConfigMap or Secret which changes restart, though their template stays as it is. */
function restartReaders(draft: Draft): void {
  const { input } = draft;
  const changed = changedConfig(draft);
  if (changed.size === 0) return;
  for (const [key, live] of input.live) {
    const change = draft.changes.get(key);
    if (!isWorkload(live.form) || change?.action === 'delete' || change?.action === 'replace') continue;
    const then = draft.desired.get(key) ?? live.form;
    const reads = changedReads(then, changed);
    if (reads.length === 0) continue;
    const possible = input.scope.restarts(live.form) ? restartable(live.form) : 'it is out of scope';
    if (possible !== true) {
      if (possible !== 'it has no pods') {
        draft.warnings.push(`${displayName(key)} ${becauseReads(reads)}, but is not restarted: ${possible}`);
      }
      continue;
    }
    const previous = configDigestOf(live.raw);
    const digested = withConfigDigest(then, (read) => draft.desired.get(read) ?? input.live.get(read)?.form, previous);
    draft.desired.set(key, free(carryOver(live.raw, digested, { foreign: input.foreign })));
    draft.changes.set(key, {
      ...(change ?? { ...seen(key, live), action: 'restart', fields: [], takesOver: [] }),
      reason: becauseReads(reads),
    });
  }
}

function changedConfig({ changes, desired, input }: Draft): ReadonlyMap<ObjectKey, ReadonlySet<string>> {
  const configs = [...changes.values()].filter(
    ({ ref }) => ref.apiVersion === 'v1' && /^(ConfigMap|Secret)$/.test(ref.kind),
  );
  return new Map(
    configs.map(({ key, action }) => [
      key,
      changedKeys(input.live.get(key)?.form, action === 'delete' ? undefined : desired.get(key)),
    ]),
  );
}

function warnAboutShared(key: ObjectKey, others: readonly ObjectKey[], { input, warnings }: Draft): void {
  const live = input.live.get(key);
  const wanted = input.target.get(key);
  if (live !== undefined && wanted !== undefined && diffObjects(live.form, wanted).length === 0) return;
  warnings.push(
    `${displayName(key)} differs and stays as it is, because ${others.map(displayName).join(', ')} (out of scope) uses it too`,
  );
}

/** The change's preconditions, and the live object for whoever asks later what moved. */
function seen(
  key: ObjectKey,
  { raw, form }: LiveObject,
): Pick<Change, 'key' | 'ref' | 'uid' | 'resourceVersion' | 'live'> {
  const { uid, resourceVersion } = raw.metadata;
  return {
    key,
    ref: refOf(raw),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    live: form,
  };
}

/** Digest of the captured form of the live objects in scope, and of those that restart: what the plan was made from. */
export function digestOfLive(
  input: Pick<CompareInput, 'scope' | 'live'>,
  changes: readonly Pick<Change, 'key'>[],
): Digest {
  const named = new Set(changes.map(({ key }) => key));
  const inside = [...input.live].filter(([key]) => input.scope.has(key) || named.has(key));
  return digestOf(inside.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { form }]) => form));
}
