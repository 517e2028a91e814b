import { capturedForm, displayName, type Json, keyOf, type KubeObject, type ObjectKey } from '../../model/index.ts';
import type { Executor } from '../executor.ts';
import { firstDifferences } from './differences.ts';

const NAMED = 5;

export interface Inequality {
  readonly key: ObjectKey;
  readonly what: string;
}

/** Arriving means equal (rule 11): every object in scope is read again and compared with the plan, form by form. */
export const proveEqual: Executor = async (_action, { state, deps }) => {
  const { plan } = state;
  const { live } = await deps.observe(plan);
  const unequal: Inequality[] = [];
  for (const wanted of plan.desired) {
    const key = keyOf(wanted);
    const what = compare(live.get(key), wanted, deps.stack.foreign);
    if (what !== undefined) unequal.push({ key, what });
  }
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

function compare(live: KubeObject | undefined, wanted: KubeObject, foreign: Parameters<typeof capturedForm>[1]): string | undefined {
  if (live === undefined) return 'is missing';
  const paths = firstDifferences(capturedForm(live, foreign), capturedForm(wanted, foreign));
  return paths.length === 0 ? undefined : `differs in ${paths.join(', ')}`;
}
