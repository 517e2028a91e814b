import {
  capturedForm,
  type FieldChange,
  type ForeignField,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type Plan,
  type Role,
} from '../model/index.ts';
import { diffObjects } from './diff.ts';
import { isProtected, viewScope } from './scope.ts';

/** A live object that is not what the plan saw. */
export interface Moved {
  readonly key: ObjectKey;
  /** In one line: what differs. */
  readonly what: string;
  /** What the plan saw against what is live now; empty when it came or went. */
  readonly fields: readonly FieldChange[];
}

export interface MovedInput {
  readonly plan: Plan;
  /** The live objects of the stack now, as the server sends them, Secret values hashed. */
  readonly live: ReadonlyMap<ObjectKey, KubeObject>;
  readonly role: (object: KubeObject) => Role;
  /** The effective one: see effectiveForeign. */
  readonly foreign: readonly ForeignField[];
  /** Changes that the run made itself and journaled: they are expected. Absent: none. */
  readonly ours?: (key: ObjectKey, path: string) => boolean;
}

const NAMED_FIELDS = 3;

/**
 * What moved since the plan was made: objects that it saw and that changed, went or came. Compared in captured form, so
 * that a new status, another resourceVersion or our own annotations are no movement.
 */
export function checkMoved(input: MovedInput): readonly Moved[] {
  const { plan } = input;
  const moved: Moved[] = [];
  const forms = new Map([...input.live].map(([key, object]) => [key, capturedForm(object, input.foreign)]));
  const expected = new Map<ObjectKey, KubeObject | undefined>();
  for (const object of plan.desired) expected.set(keyOf(object), capturedForm(object, input.foreign));
  for (const { key, action, live } of plan.changes) expected.set(key, action === 'create' ? undefined : live);
  for (const [key, before] of expected) {
    const now = forms.get(key);
    if (before === undefined && now !== undefined) moved.push({ key, what: 'was made since', fields: [] });
    if (before !== undefined && now === undefined) moved.push({ key, what: 'is gone', fields: [] });
    if (before === undefined || now === undefined) continue;
    const fields = diffObjects(before, now).filter(({ path }) => input.ours?.(key, path) !== true);
    if (fields.length > 0) moved.push({ key, what: describe(fields), fields });
  }
  return [...moved, ...arrivals(input, forms, expected)].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Objects in scope that were not there when the plan was made. What the plan keeps by protection is no arrival. */
function arrivals(
  { plan, role }: MovedInput,
  forms: ReadonlyMap<ObjectKey, KubeObject>,
  expected: ReadonlyMap<ObjectKey, unknown>,
): readonly Moved[] {
  const view = viewScope({ scope: plan.scope, role, live: [...forms.values()], target: plan.desired });
  return [...forms].flatMap(([key, form]) => {
    if (expected.has(key) || !view.has(key)) return [];
    if (isProtected(key, role(form)) && !plan.options.deleteProtected) return [];
    return [{ key, what: 'was made since', fields: [] }];
  });
}

function describe(fields: readonly FieldChange[]): string {
  const named = fields.slice(0, NAMED_FIELDS).map(({ path, kind }) => `${path} ${kind}`);
  const more = fields.length - named.length;
  return more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ');
}
