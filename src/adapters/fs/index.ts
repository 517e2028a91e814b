export { initKeys, type KeyFolder } from './init-keys.ts';
export { createKeyReader } from './keys.ts';
export { type ComparisonHasher, createSecretHasher } from './secret-hasher.ts';
export { createFsSnapshotStore, type FsSnapshotStoreOptions } from './snapshot-store.ts';
