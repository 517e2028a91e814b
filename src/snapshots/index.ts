/** How a snapshot becomes files, and files become a snapshot again that can be trusted. What keeps the files is an adapter's. */
export { createBlobs, tampered } from './blobs.ts';
export type { SnapshotFiles } from './files.ts';
export { type ComparisonHasher, createSecretHasher } from './secret-hasher.ts';
export { publicOf } from './signing.ts';
export { completeIndex, type IndexEntry, type SnapshotIndex, withEntry } from './snapshot-index.ts';
export { createSnapshotStore, type SnapshotStoreOptions } from './store.ts';
