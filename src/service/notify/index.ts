import type { Loop, LoopDeps } from '../loops.ts';
import { deliver } from './outbox.ts';
import { watchProposals } from './proposals.ts';
import { watchRuns } from './runs.ts';

export { deliveries, type DeliveryView } from './deliveries.ts';
export { testChannel, type TestedChannel } from './test-channel.ts';

/** What a service does so that people are told: docs/notifications.md. */
export const NOTIFY_LOOPS: readonly Loop[] = [
  { name: 'notices of runs', start: async (deps: LoopDeps, signal) => await watchRuns(deps, signal) },
  { name: 'notices of proposals', start: async (deps: LoopDeps, signal) => await watchProposals(deps, signal) },
  { name: 'outbox', start: async (deps: LoopDeps, signal) => await deliver(deps, signal) },
];
