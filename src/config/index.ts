export { type Environment, processEnvironment, readEnvironment, type Variables } from './environment.ts';
export { keyFolderOf, listStacks, loadStack, readTarget } from './load.ts';
export type { Problem } from './problems.ts';
export { loadServiceSettings } from './service-settings.ts';
