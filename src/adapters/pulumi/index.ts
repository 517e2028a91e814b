export { createPulumiEngine, type PulumiEngineOptions } from './engine.ts';
