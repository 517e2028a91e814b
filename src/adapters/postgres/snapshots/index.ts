import { BackstayError, isBackstayError } from '../../../errors/index.ts';
import type { Clock, SnapshotStore } from '../../../ports/index.ts';
import { createSnapshotStore, type SnapshotStoreOptions } from '../../../snapshots/index.ts';
import { addressOf, nameOf } from '../journal/address.ts';
import { Link } from '../journal/link.ts';
import { prepareSnapshots } from './schema.ts';
import { createTable, type Query } from './table.ts';

export interface PostgresSnapshotStoreOptions extends Omit<SnapshotStoreOptions, 'files' | 'clock'> {
  /** `postgres://user:password@host:port/database?sslmode=…`. Never shown, logged or stored. */
  readonly url: string;
  readonly clock: Clock;
  /** How long a server that went away is waited for, in milliseconds. @default 30_000 */
  readonly patienceMs?: number;
}

/**
 * Snapshots of one stack in a PostgreSQL database, for several machines: the same files with the same digests and signatures
 * as in a folder. Connected, and the tables made, when something is first asked. @throws USAGE for what is no PostgreSQL URL
 */
export function createPostgresSnapshotStore(
  options: PostgresSnapshotStoreOptions,
): SnapshotStore & { close(): Promise<void> } {
  const { url, patienceMs = 30_000, ...rest } = options;
  const where = nameOf(addressOf(url, 'BACKSTAY_SNAPSHOTS_URL'));
  const link = new Link({ url, where, clock: rest.clock, patienceMs });
  let prepared: Promise<void> | undefined;
  const prepare = async (): Promise<void> => {
    prepared ??= link.once(async (connection) => await prepareSnapshots(connection, where));
    try {
      await prepared;
    } catch (error) {
      // Whoever asks next tries anew.
      prepared = undefined;
      throw error;
    }
  };
  const query: Query = async (text, values) => {
    try {
      await prepare();
      return await link.use(async (connection) => await connection.query(text, values));
    } catch (error) {
      throw told(error, where);
    }
  };
  const store = createSnapshotStore({ ...rest, files: createTable(rest.stack.name, where, query) });
  return { ...store, close: async () => await link.close() };
}

/** The connection speaks of a journal: here it is something else that cannot be reached. */
function told(error: unknown, where: string): unknown {
  const isOfConnection =
    isBackstayError(error) && (error.code === 'JOURNAL_UNREACHABLE' || error.code === 'JOURNAL_BROKEN');
  if (!isOfConnection) return error;
  const reason = String(error.details['reason'] ?? '');
  return new BackstayError('SNAPSHOTS_UNREACHABLE', `the snapshots in ${where} cannot be reached: ${reason}`, {
    details: { where },
  });
}
