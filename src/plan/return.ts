import { type Change, displayName, roleOf, type Stack, type Step } from '../model/index.ts';
import { isProtected } from './scope.ts';

interface Question {
  readonly stack: Stack;
  readonly changes: readonly Change[];
  /** Of this plan, the stack's hooks among them. */
  readonly steps: readonly Pick<Step, 'phase' | 'title' | 'action' | 'reverse'>[];
}

/** They take data back. */
const DATA: ReadonlySet<string> = new Set(['db-swap', 'db-restore-in-place', 'migrate']);

/**
 * What keeps a run from going back to *before* once its objects are changed, in words; empty when the way back is real. A
 * data step that nobody takes back, an act on somebody else's system without a reverse, and an object whose content goes
 * with it: bringing the objects back would leave the stack between two states.
 */
export function keepsFromReturning({ stack, changes, steps }: Question): readonly string[] {
  const acts = steps.filter(
    ({ phase, action, reverse }) =>
      reverse === undefined &&
      (phase === 'restored' ||
        (phase === 'applied' &&
          action.kind === 'hook' &&
          (action.hook.action.kind === 'http' || action.hook.action.kind === 'command'))),
  );
  const lost = changes.filter(
    ({ key, action, live }) =>
      (action === 'delete' || action === 'replace') && live !== undefined && isProtected(key, roleOf(live, stack)),
  );
  const swapped = steps.filter(({ action }) => DATA.has(action.kind));
  return [
    ...swapped.map(({ title }) => `"${title}": what was written since would be set aside, and a person weighs that`),
    ...acts.map(({ title }) => `"${title}" has no reverse`),
    ...lost.map(({ key, action }) => `${displayName(key)} is ${action}d, and what it holds goes with it`),
  ];
}
