import { BackstayError, isBackstayError, isOutOfRoom } from '../../../errors/index.ts';
import { type Access, connected, describeConnection } from './connection.ts';
import { MAINTENANCE } from './fence.ts';

/** Databases that runs keep beside others, as `names.ts` spells them. */
const KEPT = '%\\_\\_bs\\_%';

/**
 * VOLUME_FULL for an error that tells that the server has no room left: where its data lies, where it says that, how much a
 * second copy takes, and what runs still keep there. Any other error as it is.
 */
export async function ofFullServer(error: unknown, access: Access): Promise<unknown> {
  if (!(error instanceof Error) || !isOutOfRoom(error) || isBackstayError(error, 'VOLUME_FULL')) return error;
  const server = describeConnection(access.connection);
  const { folder, needed, kept } = await lookedAt(access).catch(() => ({
    folder: undefined,
    needed: undefined,
    kept: [],
  }));
  const where = folder === undefined ? '' : ` (${folder})`;
  const room = needed === undefined ? 'as much again as the database has' : `about ${needed} more`;
  const others = kept.map(({ name, size }) => `${name} (${size})`).join(', ');
  const drop = others === '' ? '' : ` Runs keep there: ${others}; \`backstay db finalize RUN\` drops what one keeps.`;
  return new BackstayError(
    'VOLUME_FULL',
    `no room is left on the data volume of the server ${server}${where}: ${error.message}`,
    {
      cause: error,
      next: `Make room on that volume: a restore beside needs ${room}.${drop} The live data is as it was.`,
      details: { server, ...(folder === undefined ? {} : { folder }), kept: kept.map(({ name }) => name) },
    },
  );
}

interface Looked {
  readonly folder: string | undefined;
  readonly needed: string | undefined;
  readonly kept: readonly { readonly name: string; readonly size: string }[];
}

async function lookedAt(access: Access): Promise<Looked> {
  return await connected(
    access,
    async (client) => {
      // Its folder is for roles of monitoring alone to know; without it the rest is told.
      const { rows: folders } = await client.query<{ folder: string | null }>(
        `SELECT CASE WHEN pg_has_role('pg_read_all_settings', 'MEMBER') THEN current_setting('data_directory') END AS folder`,
      );
      const { rows: live } = await client.query<{ size: string }>(
        'SELECT pg_size_pretty(pg_database_size(datname)) AS size FROM pg_database WHERE datname = $1',
        [access.connection.database],
      );
      const { rows: kept } = await client.query<{ name: string; size: string }>(
        `SELECT datname AS name, pg_size_pretty(pg_database_size(datname)) AS size FROM pg_database
          WHERE datname LIKE $1 AND datconnlimit <> -2 AND has_database_privilege(datname, 'CONNECT') ORDER BY pg_database_size(datname) DESC, datname LIMIT 10`,
        [KEPT],
      );
      return { folder: folders[0]?.folder ?? undefined, needed: live[0]?.size, kept };
    },
    { database: MAINTENANCE },
  );
}
