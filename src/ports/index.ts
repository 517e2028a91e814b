/** Interfaces only: what the domain needs from outside. One contract suite a port, in test/contracts. */
export type * from './backups.ts';
export type * from './cluster.ts';
export type * from './credentials.ts';
export type * from './data-store.ts';
export type * from './engine.ts';
export type * from './journal-store.ts';
export type * from './lock.ts';
export type * from './migrations.ts';
export type * from './run-processes.ts';
export * from './service-store.ts';
export type * from './snapshot-store.ts';
export type * from './system.ts';
