/**
 * The only place where adapters meet actions. Everything is made when it is first asked for, so that `backstay list`
 * loads neither Pulumi nor the Kubernetes client.
 */
export { openClient, openTools } from './compose/client.ts';
export { observeDepsOf, planDepsOf, runDepsOf } from './compose/deps.ts';
export { openJournal } from './compose/journal.ts';
export { initKeys } from './compose/keys.ts';
export { openService } from './compose/service.ts';
export { compose, type Composition, type ComposeOptions } from './compose/stack.ts';
