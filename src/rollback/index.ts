export {
  type ApprovalStanding,
  type Decider,
  hasBegun,
  mayDecide,
  needInWords,
  personNamed,
  standingOf,
} from './approval.ts';
export { createRun, isUntouched, type NewRun } from './create.ts';
export { type Command, decide, type Outside } from './decide.ts';
export { endUnbegun } from './end-unbegun.ts';
export type {
  AskOptions,
  Between,
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
export { addFact, runsOf, stateOfRun } from './after-end.ts';
export { needsPerson } from './automatic.ts';
export { exitCodeOf } from './exit-code.ts';
export { heldDeliveries, letDeliveriesGo, releaseSnapshots } from './let-go.ts';
export { unmarkHeld } from './steps/held-mark.ts';
export { type Exit, PHASE_TABLE, type PhaseRow, type SafeWay } from './phases.ts';
export { deadlineOf } from './report/findings.ts';
export { type ReportedStep, type RunReport, reportOf } from './report/index.ts';
export { rehearse, type Rehearsed } from './rehearsal.ts';
export { Recorder } from './recorder.ts';
export { endUnapproved, resumeRun, runPlan } from './run.ts';
export type { RunResult } from './run-result.ts';
export type { RunOptions } from './run-step.ts';
export { signalName } from './signal-name.ts';
export { backupOf, lostInMigration } from './steps/migrations.ts';
export { readable } from './steps/placeholder-values.ts';
export { beforeId } from './steps/record-after.ts';
export { changedStack, judgeUndo, type UndoAnswer } from './undo.ts';
export { type Abandon, isKnownToBeOver, refuseUnfinished } from './unfinished.ts';
export { expiredRuns, type Keeping, type Kept, type KeptReason, keptSnapshots, leftBy } from './retention.ts';
