import {
  capturedForm,
  displayName,
  type ForeignField,
  type Json,
  keyOf,
  type KubeObject,
  type ObjectKey,
} from '../../model/index.ts';
import { diffObjects } from '../../plan/index.ts';
import type { RunDeps } from '../deps.ts';
import type { Executor } from '../executor.ts';

const NAMED = 5;

export interface Inequality {
  readonly key: ObjectKey;
  readonly what: string;
}

/** Arriving means equal (rule 11): every object in scope is read again and compared with the plan, form by form. */
export const proveEqual: Executor = async (_action, { state, deps }) => {
  const { plan } = state;
  const { live } = await deps.observe(plan);
  const foreign = plan.foreign ?? deps.stack.foreign;
  const unequal = [...(await unequalOf(plan.desired, { live, foreign }, deps))];
  for (const { key, action } of plan.changes) {
    if (action === 'delete' && live.has(key)) unequal.push({ key, what: 'is still there' });
  }
  if (unequal.length === 0) {
    return { outcome: 'done', touched: false, message: `${plan.desired.length} objects equal the target` };
  }
  const named = unequal.slice(0, NAMED).map(({ key, what }) => `${displayName(key)} ${what}`);
  const more = unequal.length > NAMED ? `; and ${unequal.length - NAMED} more` : '';
  return {
    outcome: 'failed',
    code: 'NOT_EQUAL',
    touched: false,
    message: `live differs from the target: ${named.join('; ')}${more}`,
    result: { unequal: unequal as unknown as Json },
  };
};

/** Which of these objects live does not equal, form by form. */
export async function unequalOf(
  wanted: readonly KubeObject[],
  seen: { readonly live: ReadonlyMap<ObjectKey, KubeObject>; readonly foreign: readonly ForeignField[] },
  deps: Pick<RunDeps, 'defaulted'>,
): Promise<readonly Inequality[]> {
  const { live, foreign } = seen;
  const differing = wanted.filter((object) => compare(live.get(keyOf(object)), object, foreign) !== undefined);
  // What a plan created in a namespace of its own could not be defaulted when it was planned; now it can be asked about.
  // Secrets are hashed here, so the server cannot be shown them: they must equal as they are.
  const asked = differing.filter((object) => live.has(keyOf(object)) && object.kind !== 'Secret');
  const defaulted = new Map((await deps.defaulted(asked, seen)).map((object) => [keyOf(object), object]));
  return differing.flatMap((object) => {
    const key = keyOf(object);
    const what = compare(live.get(key), defaulted.get(key) ?? object, foreign);
    return what === undefined ? [] : [{ key, what }];
  });
}

/** Paths only: a value may be a secret. */
function compare(
  live: KubeObject | undefined,
  wanted: KubeObject,
  foreign: readonly ForeignField[],
): string | undefined {
  if (live === undefined) return 'is missing';
  const paths = diffObjects(capturedForm(wanted, foreign), capturedForm(live, foreign)).map(({ path }) => path);
  if (paths.length === 0) return undefined;
  const more = paths.length > NAMED ? ` and ${paths.length - NAMED} more` : '';
  return `differs in ${paths.slice(0, NAMED).join(', ')}${more}`;
}
