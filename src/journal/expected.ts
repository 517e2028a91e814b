import type { Step } from '../model/index.ts';
import type { JournalEntry } from './entry.ts';
import { medianOf } from './figures.ts';

/** How long a step took before: asked by the plan for each of its steps. */
export type Expectation = (step: Pick<Step, 'id' | 'action'>) => Step['expected'];

/**
 * From the journals of a stack's last runs: the median of what a step of the same id took whenever it was done, or of the
 * same kind where the id is new. Hooks are asked by id alone: what one hook takes says nothing of another. Entries are
 * taken as they stand; a figure to look at needs no proven chain.
 */
export function expectationOf(journals: readonly (readonly JournalEntry[])[]): Expectation {
  const byId = new Map<string, number[]>();
  const byKind = new Map<string, number[]>();
  const add = (map: Map<string, number[]>, name: string, ms: number): void => {
    map.set(name, [...(map.get(name) ?? []), ms]);
  };
  for (const entries of journals) {
    for (const { id, kind, ms } of doneIn(entries)) {
      add(byId, id, ms);
      if (kind !== 'hook') add(byKind, kind, ms);
    }
  }
  return ({ id, action }) => {
    const took = byId.get(id) ?? byKind.get(action.kind);
    if (took === undefined) return undefined;
    return { ms: Math.round(medianOf(took.toSorted((a, b) => a - b))), runs: took.length };
  };
}

interface Done {
  readonly id: string;
  readonly kind: Step['action']['kind'];
  readonly ms: number;
}

/** Steps that were done at their first attempt, going forward: others tell of trouble and not of the step. */
function doneIn(entries: readonly JournalEntry[]): readonly Done[] {
  const [first] = entries;
  if (first?.kind !== 'run-created') return [];
  const kinds = new Map(first.plan.steps.map(({ id, action }) => [id, action.kind]));
  const begun = new Map<string, string>();
  const done: Done[] = [];
  for (const entry of entries) {
    if (entry.kind === 'step-begin' && entry.reverse !== true && entry.attempt === 1)
      begun.set(entry.operation, entry.time);
    if (entry.kind !== 'step-end' || entry.outcome !== 'done') continue;
    const [from, kind] = [begun.get(entry.operation), kinds.get(entry.step)];
    if (from === undefined || kind === undefined) continue;
    done.push({ id: entry.step, kind, ms: Date.parse(entry.time) - Date.parse(from) });
  }
  return done;
}
