import { openJournal } from '../../src/compose.ts';
import { fold, type RunState, type StepState } from '../../src/journal/index.ts';
import type { CheckResult } from '../../src/model/index.ts';
import type { Breakdown } from './figure.ts';
import type { Home } from './home.ts';
import type { Timed } from './process-times.ts';

/** Where the time of one `backstay rollback` went, from the start of the process to its end. Milliseconds. */
export interface RunTimes {
  readonly totalMs: number;
  /** The engine's `up`, of which `waitingMs` are for pods to become ready. */
  readonly engineMs: number;
  readonly toSummaryMs: number;
  readonly waitingMs: number;
  /** Measuring checks: waiting for pods, for the stack's answers, and for the next request of a fixed rate. */
  readonly checksMs: number;
  /** What is left: Backstay itself, and the answers of the API server, of hooks and of the runbook's dependencies. */
  readonly ownMs: number;
  readonly rows: Breakdown['rows'];
}

/** Reads the journal of the run that a `rollback --output json` has just ended. */
export async function runTimes(ended: Timed, home: Home): Promise<RunTimes> {
  const { run } = JSON.parse(ended.stdout) as { readonly run: string };
  const opened = await openJournal(home.env, home.dir);
  try {
    return timesOf(fold(await opened.journal.read(run)), ended);
  } finally {
    await opened.close();
  }
}

function timesOf(state: RunState, { startedAt, ms }: Timed): RunTimes {
  const steps = [...state.steps.values()];
  const runBegan = Date.parse(state.startedAt);
  const runEnded = Date.parse(state.ended?.at ?? state.lastAt);
  const parts = steps.map((step) => partsOf(step));
  const sum = (of: (part: Part) => number): number => parts.reduce((total, part) => total + of(part), 0);
  const [engineMs, checksMs] = [sum((part) => part.engineMs), sum((part) => part.checksMs)];
  return {
    totalMs: ms,
    engineMs,
    toSummaryMs: sum((part) => part.toSummaryMs),
    waitingMs: sum((part) => part.waitingMs),
    checksMs,
    ownMs: ms - engineMs - checksMs,
    rows: [
      { name: 'start, plan, show', ms: runBegan - startedAt },
      ...parts.map(({ name, stepMs, note }) => ({ name, ms: stepMs, ...(note === '' ? {} : { note }) })),
      { name: 'journal, between the steps', ms: runEnded - runBegan - sum((part) => part.stepMs) },
      { name: 'report, exit', ms: startedAt + ms - runEnded },
    ],
  };
}

interface Part {
  readonly name: string;
  readonly note: string;
  readonly stepMs: number;
  readonly engineMs: number;
  readonly toSummaryMs: number;
  readonly waitingMs: number;
  readonly checksMs: number;
}

function partsOf({ step, beganAt, endedAt, result }: StepState): Part {
  const stepMs = beganAt === undefined || endedAt === undefined ? 0 : Date.parse(endedAt) - Date.parse(beganAt);
  const { timings, results = [] } = (result ?? {}) as {
    readonly timings?: { readonly totalMs: number; readonly updateMs: number; readonly waitingMs: number };
    readonly results?: readonly CheckResult[];
  };
  const engineMs = timings?.totalMs ?? 0;
  const [toSummaryMs, waitingMs] = [timings?.updateMs ?? 0, timings?.waitingMs ?? 0];
  // As runChecks does it: performance is measured alone, one after another; everything else at once.
  const paced = results.filter(({ kind }) => kind === 'performance');
  const slowest = results.filter((one) => !paced.includes(one)).toSorted((a, b) => b.durationMs - a.durationMs)[0];
  const pacedMs = paced.reduce((total, { durationMs }) => total + durationMs, 0);
  const notes = [
    engineMs > 0 ? `engine ${engineMs} ms: ${toSummaryMs} to its summary, of them ${waitingMs} waiting for pods` : '',
    slowest === undefined ? '' : `the slowest, ${slowest.name}, ${slowest.durationMs} ms`,
    paced.length === 0 ? '' : `requests at a fixed rate ${pacedMs} ms`,
  ];
  const note = notes.filter((text) => text !== '').join('; ');
  const checksMs = (slowest?.durationMs ?? 0) + pacedMs;
  return { name: `${step.phase}: ${step.action.kind}`, note, stepMs, engineMs, toSummaryMs, waitingMs, checksMs };
}
