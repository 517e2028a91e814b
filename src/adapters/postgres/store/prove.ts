import type { Client } from 'pg';
import { BackstayError } from '../../../errors/index.ts';
import type { BackupManifest } from '../../../model/index.ts';
import { type Access, connected } from './connection.ts';
import { contentsOf, countOf, pinSession, quoted, shared, type Table, tablesOf } from './contents.ts';
import { countRows } from './inspect.ts';
import type { RestoreRequest } from './restore.ts';

type Rows = BackupManifest['rows'];

/**
 * Counts every table of a restored database, compares its contents with those of the backup's own moment, and gathers the planner's
 * statistics, without which the first queries after a swap are planned as if every table were empty.
 * @throws BACKUP_DAMAGED naming the tables that differ
 */
export async function proveContents(
  { backup: { manifest }, jobs, signal }: Pick<RestoreRequest, 'backup' | 'jobs' | 'signal'>,
  access: Access,
  database: string,
): Promise<{ readonly rows: Rows; readonly message: string }> {
  const at = { database };
  const tables = await connected(access, tablesOf, at);
  const rows: Record<string, number> = {};
  const wrong: string[] = [];
  const sampled: string[] = [];
  const unread: string[] = [];
  const look = async (client: Client, table: Table): Promise<void> => {
    signal?.throwIfAborted();
    await client.query('BEGIN');
    const count = await countOf(client, table);
    rows[table.name] = count;
    const then = manifest.contents?.[table.name];
    if (then === undefined) unread.push(table.name);
    else if (count === manifest.rows[table.name]) {
      const now = await contentsOf(client, table, count);
      if (now?.digest !== then.digest) wrong.push(table.name);
      if (then.sampled) sampled.push(table.name);
    }
    await client.query('COMMIT');
    await client.query(`ANALYZE ${quoted(table)}`);
  };
  const hands = Math.max(1, Math.min(jobs, tables.length));
  await inSessions(access, database, hands, async (clients) => {
    await shared(
      tables,
      clients.map((client) => async (table: Table) => await look(client, table)),
    );
    assertSame(manifest, rows, database);
    if (wrong.length > 0)
      throw differs(manifest, database, wrong.sort(), `${wrong.join(', ')}: not the contents of then`);
    const [client] = clients;
    if (client !== undefined) await analyzeRest(client);
  });
  const total = Object.values(rows).reduce((sum, count) => sum + count, 0);
  const known =
    unread.length === tables.length
      ? 'counts'
      : sampled.length === 0
        ? 'counts and contents'
        : 'counts and contents (of large tables a sample)';
  const except = unread.length > 0 && unread.length < tables.length ? `, ${unread.join(', ')} by counts alone` : '';
  return {
    rows: Object.fromEntries(Object.entries(rows).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    message: `${tables.length} tables with ${total} rows in ${database}, ${known} as when it was taken${except}`,
  };
}

/** Counts alone, for one that was proven before. @throws BACKUP_DAMAGED */
export async function assertCounts(manifest: BackupManifest, access: Access, database: string): Promise<Rows> {
  const rows = await connected(access, countRows, { database });
  assertSame(manifest, rows, database);
  return rows;
}

/** What is analyzed with no table: materialized views, foreign children of partitions, and the catalogue that was just filled. */
async function analyzeRest(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE (c.relkind = 'm' AND c.relispopulated AND n.nspname NOT LIKE 'pg\\_%')
         OR (c.relkind = 'r' AND n.nspname = 'pg_catalog' AND NOT c.relisshared
             AND pg_has_role((SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE'))`,
  );
  if (rows.length > 0) await client.query(`ANALYZE ${rows.map(({ name }) => name).join(', ')}`);
}

async function inSessions(
  access: Access,
  database: string,
  count: number,
  work: (clients: readonly Client[]) => Promise<void>,
  clients: readonly Client[] = [],
): Promise<void> {
  if (clients.length === count) return await work(clients);
  await connected(
    access,
    async (client) => {
      await pinSession(client);
      await inSessions(access, database, count, work, [...clients, client]);
    },
    { database },
  );
}

function assertSame(manifest: BackupManifest, rows: Rows, database: string): void {
  const names = [...new Set([...Object.keys(manifest.rows), ...Object.keys(rows)])].sort();
  const wrong = names.filter((name) => manifest.rows[name] !== rows[name]);
  if (wrong.length === 0) return;
  const said = wrong.map(
    (name) => `${name}: ${manifest.rows[name] ?? 'no table'} then, ${rows[name] ?? 'no table'} now`,
  );
  throw differs(manifest, database, wrong, said.join('; '));
}

function differs(manifest: BackupManifest, database: string, tables: readonly string[], what: string): BackstayError {
  return new BackstayError('BACKUP_DAMAGED', `backup ${manifest.id}, restored into ${database}: ${what}`, {
    details: { backup: manifest.id, tables },
  });
}
