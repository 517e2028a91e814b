export { createPulumiCredentials } from './credentials.ts';
export { createPulumiEngine, type PulumiEngineOptions } from './engine.ts';
