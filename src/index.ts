/**
 * Backstay as a library: `Backstay.open()` does what the command line does, in this process; `createClient()` asks a
 * service. docs/library.md tells more.
 */
export type { CaptureResult } from './actions/capture.ts';
export type { StackDiff } from './actions/diff.ts';
export type { PastRun } from './actions/history.ts';
export type { PlanResult } from './actions/plan.ts';
export type { RollbackResult, RunEnded } from './actions/rollback.ts';
export type { SnapshotDetails, SnapshotList, SnapshotRow } from './actions/snapshots.ts';
export type { WatchResult } from './actions/watch.ts';
export { type ClientSettings, createClient, type ServiceClient } from './client/index.ts';
export { BackstayError, type ErrorCode, isBackstayError } from './errors/index.ts';
export { Backstay } from './library/backstay.ts';
export type { CaptureAsked, OpenOptions, PlanAsked, ResumeAsked, RunAsked, UndoAsked } from './library/options.ts';
export type { Change, CheckResult, Plan, PlanOptions, RunEvent, Scope, Snapshot, Stack, Step } from './model/index.ts';
