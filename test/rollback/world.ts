import { BackstayError } from '../../src/errors/index.ts';
import type { JournalEntry } from '../../src/journal/index.ts';
import type { RunEvent, Step, StepAction } from '../../src/model/index.ts';
import type { Executor, Executors, RunDeps, StepResult } from '../../src/rollback/index.ts';
import { aStack, fakeClock } from './builders.ts';
import { memoryJournal } from './memory-journal.ts';
import { type MemoryLock, memoryLock } from './memory-lock.ts';

/** What a scripted act does when it is performed. */
export type Script = 'done' | 'skipped' | 'warned' | 'fail' | 'fail-untouched' | 'throw' | 'lose-lease';

export interface Effect {
  readonly step: string;
  readonly reverse: boolean;
}

/**
 * A stack that a test can script: every act adds one effect and answers as told. It stands in for the cluster and the
 * people around it, not for the journal, which is the memory store of the contract suite.
 */
export interface World {
  readonly effects: Effect[];
  readonly events: RunEvent[];
  readonly journal: ReturnType<typeof memoryJournal>;
  readonly deps: RunDeps;
  readonly executors: Executors;
  readonly lock: MemoryLock;
}

export interface WorldOptions {
  readonly journal?: readonly JournalEntry[];
  /** Asked once for each act; `reverse` for the way back. */
  readonly script?: (step: Step, attempt: number, reverse: boolean) => Script;
  /** Called when the effect is there and nothing of its end is stored. */
  readonly afterEffect?: (effect: Effect) => void;
  readonly effects?: Effect[];
  /** @default nobody ever had the stack */
  readonly lock?: MemoryLock;
}

export function aWorld(options: WorldOptions = {}): World {
  const journal = memoryJournal(options.journal);
  const effects = options.effects ?? [];
  const events: RunEvent[] = [];
  const lock = options.lock ?? memoryLock();
  const deps = {
    stack: aStack(),
    by: { user: 'ada', host: 'laptop' },
    journal,
    journalName: 'memory',
    lock,
    clock: fakeClock(),
    reporter: { report: (event: RunEvent) => events.push(event) },
  } as unknown as RunDeps;
  const executor: Executor = async (action, context) => {
    const { step, attempt } = context;
    if (action.kind === 'lease') {
      await context.deps.lock.acquire('medical-kg', {
        run: context.run,
        journal: 'memory',
        user: 'ada',
        host: 'laptop',
      });
    }
    const reverse = action !== step.action;
    const said = options.script?.(step, attempt, reverse) ?? 'done';
    // Taking back something that is there is never skipped.
    const script = reverse && said === 'skipped' ? 'done' : said;
    const effect = { step: step.id, reverse };
    if (script === 'skipped' || script === 'fail-untouched') return resultOf(script);
    if (action.kind !== 'lease') {
      if (script === 'lose-lease') lock.steal();
      await context.effect(async () => {
        effects.push(effect);
        options.afterEffect?.(effect);
      });
    }
    return resultOf(script);
  };
  const executors = new Proxy({}, { get: () => executor }) as Executors;
  return { effects, events, journal, deps, executors, lock };
}

function resultOf(script: Script): StepResult {
  switch (script) {
    case 'done':
    case 'skipped':
    case 'warned':
      return { outcome: script };
    case 'fail':
    case 'lose-lease':
      return { outcome: 'failed', code: 'HOOK_FAILED', message: 'it did not work' };
    case 'fail-untouched':
      return { outcome: 'failed', code: 'PLAN_STALE', message: 'it moved', touched: false };
    case 'throw':
      throw new BackstayError('HOOK_FAILED', 'it broke');
  }
}

export function actionOf(kind: StepAction['kind']): StepAction {
  return { kind, workloads: [], objects: [] } as unknown as StepAction;
}
