/** Where a run is. Outcome and reason are separate fields, never folded into a phase's name. */
export const PHASES = [
  'planned',
  'locked',
  'frozen',
  'safeguarded',
  'quiesced',
  'restored',
  'applied',
  'resumed',
  'validated',
  'completed',
] as const;
export type Phase = (typeof PHASES)[number];

export const SCOPES = [
  'full',
  'application',
  'workers',
  'config',
  'flags',
  'traffic',
  'database',
  'infrastructure',
] as const;
export type NamedScope = (typeof SCOPES)[number];
/** What a plan may touch. `workloads` names Deployments, StatefulSets or DaemonSets by name. */
export type Scope = { readonly kind: NamedScope } | { readonly kind: 'workloads'; readonly names: readonly string[] };

/**
 * How a run ended. `unvalidated`: done, but the checks were skipped by request; never known good.
 * `returned`: validation failed and the stack was taken back to *before*. `mixed`: a person must go on with `resume`.
 * `abandoned`: a person gave it up half way, by name.
 */
export const OUTCOMES = [
  'succeeded',
  'unvalidated',
  'nothing-to-do',
  'failed',
  'returned',
  'mixed',
  'cancelled',
  'abandoned',
] as const;
export type Outcome = (typeof OUTCOMES)[number];
