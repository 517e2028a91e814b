import { displayName } from '../../model/index.ts';
import type { Moved } from '../deps.ts';
import type { StepResult } from '../executor.ts';

const NAMED = 5;

/** Refuses a plan whose live side is not there any more. Nothing was changed by finding that out. */
export function staleResult(stack: string, moved: readonly Moved[]): StepResult {
  return {
    outcome: 'failed',
    code: 'PLAN_STALE',
    touched: false,
    message: `${stack} moved since the plan was made: ${describeMoved(moved)}`,
    result: { moved: moved.map(({ key, what }) => ({ key, what })) },
  };
}

export function describeMoved(moved: readonly Moved[]): string {
  const named = moved.slice(0, NAMED).map(({ key, what }) => `${displayName(key)} (${what})`);
  const more = moved.length - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
