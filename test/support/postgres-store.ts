import { join } from 'node:path';
import { createBackupShelf } from '../../src/adapters/fs/index.ts';
import { createPostgresStore, type PostgresStoreOptions } from '../../src/adapters/postgres/store/index.ts';
import type { DataStore } from '../../src/ports/index.ts';

/** Backups go to `<root>/<stack>/<store>/<id>/`, as they do where a machine keeps them. */
export function postgresStore({
  root,
  ...options
}: Omit<PostgresStoreOptions, 'shelf'> & { readonly root: string }): DataStore {
  const { stack, setting, clock } = options;
  return createPostgresStore({ ...options, shelf: createBackupShelf(join(root, stack, setting.name), clock) });
}
