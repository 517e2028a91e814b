export { type Command, decide, type Outside } from './decide.ts';
export type {
  AskOptions,
  Captured,
  CaptureRequest,
  ChecksRequest,
  HookDone,
  HookRequest,
  Moved,
  Observation,
  RunDeps,
} from './deps.ts';
export type { Executor, Executors, StepContext, StepResult } from './executor.ts';
export { exitCodeOf } from './exit-code.ts';
export { PHASE_TABLE, type PhaseRow, type SafeWay } from './phases.ts';
export { type ReportedChange, type ReportedStep, type RunReport, reportOf, type TimeSpent } from './report.ts';
export { type RunOptions, type RunResult, resumeRun, runPlan } from './run.ts';
export { readable } from './steps/placeholder-values.ts';
