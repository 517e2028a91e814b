import { isBackstayError } from '../../errors/index.ts';
import { displayName, type JsonObject, type ObjectKey } from '../../model/index.ts';
import type { EngineResult } from '../../ports/index.ts';
import type { Outcome } from '../../provider/index.ts';
import type { Call } from './command.ts';
import type { Observed } from './events.ts';

type Group = 'created' | 'updated' | 'deleted' | 'unchanged' | 'failed';

/** Pulumi's steps in our words, for when the official plugin did the work. */
const BY_OP: Readonly<Record<string, Group>> = {
  create: 'created',
  import: 'created',
  update: 'updated',
  replace: 'updated',
  'create-replacement': 'updated',
  'delete-replaced': 'updated',
  delete: 'deleted',
  same: 'unchanged',
  read: 'unchanged',
  refresh: 'unchanged',
};

const BY_ACTION: Readonly<Record<Outcome['action'], Group>> = {
  created: 'created',
  updated: 'updated',
  replaced: 'updated',
  deleted: 'deleted',
  unchanged: 'unchanged',
  kept: 'unchanged',
  failed: 'failed',
};

export interface Run {
  readonly observed: Observed;
  /** The in-process provider's word; it knows what Pulumi cannot, such as that a creation took over what was there. */
  readonly outcomes: ReadonlyMap<ObjectKey, Outcome>;
  readonly calls: readonly Call[];
  readonly totalMs: number;
}

export function resultOf({ observed, outcomes, calls, totalMs }: Run): EngineResult {
  const groups = new Map<ObjectKey, Group>();
  for (const [key, op] of observed.ops) {
    const group = BY_OP[op];
    if (group !== undefined) groups.set(key, group);
  }
  for (const [key, { action }] of outcomes) groups.set(key, BY_ACTION[action]);
  for (const key of observed.failures.keys()) groups.set(key, 'failed');
  const inGroup = (wanted: Group): readonly ObjectKey[] =>
    [...groups].flatMap(([key, group]) => (group === wanted ? [key] : [])).sort();
  const failed = inGroup('failed');
  const replaced = [...outcomes].flatMap(([key, { action }]) => (action === 'replaced' ? [key] : []));
  const kept = [...outcomes].flatMap(([key, { action }]) => (action === 'kept' ? [key] : []));
  return {
    created: inGroup('created'),
    updated: inGroup('updated'),
    deleted: inGroup('deleted'),
    unchanged: inGroup('unchanged'),
    failed: failed.map((key) => ({ key, message: messageOf(key, outcomes, observed) })),
    timings: {
      updateMs: Math.round(observed.summaryMs ?? totalMs),
      totalMs: Math.round(totalMs),
      waitingMs: Math.round(Math.max(0, ...[...outcomes.values()].map(({ waitedMs }) => waitedMs))),
    },
    details: {
      replaced,
      kept,
      takenOver: takenOver(outcomes),
      failures: failed.map((key) => codeOf(key, outcomes)),
      calls: calls.map(({ args, ms }) => ({ args, ms: Math.round(ms) })),
    },
  };
}

function messageOf(key: ObjectKey, outcomes: ReadonlyMap<ObjectKey, Outcome>, observed: Observed): string {
  const error = outcomes.get(key)?.error;
  if (error instanceof Error) return error.message;
  const said = observed.failures.get(key);
  return said === undefined ? `${displayName(key)} failed` : withoutValues(said, key);
}

/** Pulumi tells by whole values how an update differs from its saved plan; a Secret's are among them. */
function withoutValues(said: string, key: ObjectKey): string {
  const [, what] = /violates plan: properties changed: (.*)/s.exec(said) ?? [];
  if (what === undefined) return said;
  const names = [...new Set([...what.matchAll(/[+~-]{1,2}([\w.-]+)\[/g)].map(([, name]) => name))];
  return `${displayName(key)} is not what Pulumi foresaw (violates plan): ${names.join(', ')} changed since`;
}

function codeOf(key: ObjectKey, outcomes: ReadonlyMap<ObjectKey, Outcome>): JsonObject {
  const error = outcomes.get(key)?.error;
  return isBackstayError(error) ? { key, code: error.code, next: error.next } : { key };
}

function takenOver(outcomes: ReadonlyMap<ObjectKey, Outcome>): JsonObject {
  return Object.fromEntries(
    [...outcomes].flatMap(([key, { takenFrom }]) => (takenFrom.length === 0 ? [] : [[key, takenFrom]])),
  );
}
