export { createBackupShelf } from './backups.ts';
export { writeAtomically } from './atomic-write.ts';
export { initKeys } from './init-keys.ts';
export { createKeyReader } from './keys.ts';
export { readManifests } from './manifests.ts';
export { createFsSnapshotStore } from './snapshot-store.ts';
export { type ComparisonHasher, createSecretHasher } from '../../snapshots/index.ts';
