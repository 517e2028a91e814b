export { type Environment, readEnvironment, type Variables } from './environment.ts';
export { defaultKeyFolder } from './key-folder.ts';
export { keyFolderOf, listStacks, type LoadOptions, loadStack, readTarget } from './load.ts';
export type { Problem } from './problems.ts';
