/**
 * Glossary (design.md has the long form):
 * stack: one environment of one product, described by one stack file.
 * snapshot: an immutable, content-addressed, signed record of a stack at one moment; content is what it was, a record is
 *   one sighting of it.
 * known good: a snapshot whose checks passed when it was captured or reached.
 * scope: what a plan may touch. plan: ordered steps from live to target, hashed. run: one execution of one plan.
 * phase: where a run is. hook: an imperative step around the update. check: a measured verdict; unknown never passes.
 * captured form: an object without what servers, controllers and Backstay's own bookkeeping put into it.
 */
export * from './captured.ts';
export * from './captured-scope.ts';
export * from './data-store.ts';
export * from './digest.ts';
export * from './event.ts';
export * from './evidence.ts';
export { fieldPathGet, fieldPathRemove, parseFieldPath } from './field-path.ts';
export { type Hold, heldVersion, holdOn, holdsInForce } from './held.ts';
export * from './json.ts';
export * from './migration.ts';
export * from './key-files.ts';
export {
  type FlagPlace,
  flagValue,
  MAINTENANCE,
  type MaintenanceSetting,
  maintainedBy,
  setFlag,
  type Turning,
  turnOff,
  turnOn,
} from './maintenance.ts';
export * from './merge.ts';
export * from './notification.ts';
export * from './object.ts';
export * from './observation.ts';
export * from './pattern.ts';
export * from './phase.ts';
export * from './plan.ts';
export * from './point-in-time.ts';
export * from './principal.ts';
export * from './role.ts';
export * from './scenario.ts';
export * from './schedule.ts';
export * from './service-settings.ts';
export * from './sightings.ts';
export * from './snapshot.ts';
export * from './stack.ts';
export * from './suspended.ts';
export { fill, placeholdersIn } from './template.ts';
export * from './trigger.ts';
export * from './verdict.ts';
