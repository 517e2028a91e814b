/** Pure: what differs between live and target, in which scope, and what will be done about it. */
export * from './compare.ts';
export { describeObject, diffObjects, sameForm } from './diff.ts';
export { forcesAlone } from './force-steps.ts';
export { autoscalersOf, undeclaredDeliveries } from './hold-steps.ts';
export * from './images.ts';
export { hashOfPlan, makePlan, type PlanInput } from './make-plan.ts';
export { checkMoved, type Moved, type MovedInput } from './moved.ts';
export { mayTakeFrom } from './owners.ts';
export { comparePlans, planFileText, readPlanFile } from './plan-file.ts';
export { configDigestOf, withConfigDigest } from './restarts.ts';
export { CHANGE_RISKS, OPTION_RISKS, riskOfChange } from './risk.ts';
export {
  maintenanceOf,
  type PlannedMaintenance,
  type PlannedQuiesce,
  type Writers,
  writersOf,
} from './quiesce-steps.ts';
export { SCOPE_TABLE, type ScopeRow, type ScopeView, unknownWorkloads, viewScope } from './scope.ts';
export { effectiveForeign, replicasOf, type Refusal, shapeFlags, shapeTarget } from './shape.ts';
export { askedAfter } from './steps.ts';
export { definedKinds, inServedVersion } from './versions.ts';
export { isRollingOut, matchesLabels } from './workloads.ts';
export { commandOf } from './command.ts';
export { isAccepted, lossBetween, lossInWords } from './loss.ts';
export { migrating, type PlannedMigration, safeguarding } from './migration-steps.ts';
export {
  type BackupFacts,
  chooseScenario,
  isUnknown,
  sameSchema,
  type ScenarioChoice,
  spell,
  type StoreFacts,
  type Unknown,
} from './scenario.ts';
export { exchanging, type PlannedRestore, restoringBeside } from './store-steps.ts';
export { type JournalAddress, journalInside } from './journal-inside.ts';
