import type { RunState, Trigger } from '../journal/index.ts';
import type { Plan } from '../model/index.ts';
import { changedStack, newestRuns } from './undo.ts';

/** A run that is about to start, and what the stack has behind it. */
export interface StartQuestion {
  readonly trigger: Trigger;
  readonly plan: Pick<Plan, 'options' | 'undoes'>;
  /** The stack's runs, in any order. */
  readonly runs: readonly RunState[];
  /** Runs whose hold on a version is in force: nobody has released it. */
  readonly holding: ReadonlySet<string>;
}

/**
 * Why only a person may start this run; undefined when nothing speaks against it. Alerts that go on after a rollback must
 * not take the stack back and forth (rule 10): nothing automatic takes back a rollback that was automatic itself, one
 * whose failing version is still held, or what a person has undone. A release by a pipeline is no rollback.
 */
export function needsPerson({ trigger, plan, runs, holding }: StartQuestion): string | undefined {
  if (trigger === 'person') return undefined;
  if (plan.undoes !== undefined) return `undoing run ${plan.undoes} is a person's decision`;
  if (!plan.options.hold) return undefined;
  const last = newestRuns(runs).find(changedStack);
  if (last === undefined) return undefined;
  if (last.undoes !== undefined)
    return `the last change was run ${last.run}, by which ${last.by.user} undid a rollback`;
  if (!last.plan.options.hold || last.undone !== undefined) return undefined;
  if (last.trigger !== 'person') return `the last change was run ${last.run}, a rollback started by ${last.trigger}`;
  return holding.has(last.run)
    ? `the last change was run ${last.run}, a rollback that still holds the version it came from`
    : undefined;
}
