import { join } from 'node:path';
import type { SnapshotStore } from '../../ports/index.ts';
import { createSnapshotStore, type SnapshotStoreOptions } from '../../snapshots/index.ts';
import type { WriteFile } from './atomic-write.ts';
import { createFolder } from './snapshot-folder.ts';

export interface FsSnapshotStoreOptions extends Omit<SnapshotStoreOptions, 'files'> {
  /** Folder of all stacks; this stack's is `<root>/<stack>`. Made when the first snapshot is stored. */
  readonly root: string;
  /** How a file gets into its place. @default writeAtomically */
  readonly writeFile?: WriteFile;
}

/** Snapshots of one stack in a folder of files, to be committed like code. */
export function createFsSnapshotStore({ root, writeFile, ...options }: FsSnapshotStoreOptions): SnapshotStore {
  const { name } = options.stack;
  return createSnapshotStore({ ...options, files: createFolder(join(root, name), name, writeFile) });
}
