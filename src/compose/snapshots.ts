import type { Environment } from '../config/index.ts';
import { BackstayError } from '../errors/index.ts';
import type { Clock, SnapshotStore } from '../ports/index.ts';
import type { SnapshotStoreOptions } from '../snapshots/index.ts';
import { failpointsOf } from './failpoints.ts';

/** Where the snapshots are, when they are not files of this machine; for whoever would take that very place back. */
export interface SnapshotsPlace {
  readonly snapshotsAddress?: { readonly host: string; readonly port: number; readonly database: string };
}

/** @throws USAGE */
export async function snapshotsPlace(environment: Environment): Promise<SnapshotsPlace> {
  const url = urlOf(environment);
  if (url === undefined) return {};
  const { addressOf } = await import('../adapters/postgres/journal/address.ts');
  return { snapshotsAddress: addressOf(url, 'BACKSTAY_SNAPSHOTS_URL') };
}

/**
 * The snapshots of a stack: files in the project, or rows of a database that several machines share. `onClose` is given what
 * is to be closed. @throws USAGE for settings that contradict each other
 */
export async function openSnapshots(
  environment: Environment,
  options: Omit<SnapshotStoreOptions, 'files' | 'clock'> & { readonly clock: Clock },
  onClose: (close: () => Promise<void>) => void,
): Promise<SnapshotStore> {
  const url = urlOf(environment);
  if (url === undefined) {
    const [fs, { write }] = await Promise.all([import('../adapters/fs/index.ts'), failpointsOf(environment)]);
    const writeFile = write('snapshot-file.write', fs.writeAtomically, (path) =>
      path.endsWith('index.json') ? 'index' : 'blob',
    );
    return fs.createFsSnapshotStore({ ...options, root: environment.snapshotsDir, writeFile });
  }
  const { createPostgresSnapshotStore } = await import('../adapters/postgres/snapshots/index.ts');
  const store = createPostgresSnapshotStore({ ...options, url });
  onClose(async () => await store.close());
  return store;
}

function urlOf({ snapshots = 'files', snapshotsUrl, databaseUrl }: Environment): string | undefined {
  if (snapshotsUrl !== undefined) return snapshotsUrl;
  if (snapshots === 'files') return undefined;
  if (snapshots === 'journal' && databaseUrl !== undefined) return databaseUrl;
  throw new BackstayError(
    'USAGE',
    snapshots === 'journal'
      ? 'BACKSTAY_SNAPSHOTS=journal needs BACKSTAY_DATABASE_URL: the journal is in a file.'
      : 'BACKSTAY_SNAPSHOTS is neither files nor journal.',
    { next: 'Name a database with BACKSTAY_SNAPSHOTS_URL, or set BACKSTAY_SNAPSHOTS=files.' },
  );
}
