import type { Client } from 'pg';
import { digestOf, type TableContents } from '../../../model/index.ts';
import { identifier } from './connection.ts';

/** Rows of a table that are read for its digest. One with more is sampled by its key, to about as many or half of them. */
const WHOLE_ROWS = 2_000_000;

/** program_limit_exceeded, out_of_memory, and how the server refuses a text of more than a gigabyte. */
function isTooLarge(error: unknown): boolean {
  const { code = '', message = '' } = error as { readonly code?: string; readonly message?: string };
  return code === '54000' || code === '53200' || (code === 'XX000' && message.startsWith('invalid memory alloc'));
}

export interface Table {
  readonly schema: string;
  readonly table: string;
  /** `schema.table`. */
  readonly name: string;
  /** In order of their names: two databases may have them in different places. */
  readonly columns: readonly string[];
  /** Columns of the primary key; empty where it has none. */
  readonly key: readonly string[];
}

/** Every table of users, partitions as part of theirs; the largest first, so that several hands end at about the same time. */
export async function tablesOf(client: Client): Promise<readonly Table[]> {
  const { rows } = await client.query<Table>(
    `SELECT n.nspname AS schema, c.relname AS "table", n.nspname || '.' || c.relname AS name,
            ARRAY(SELECT attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                   ORDER BY attname COLLATE "C") AS columns,
            ARRAY(SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
                   WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY a.attname COLLATE "C") AS key
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT LIKE '%\\_\\_bs\\_%'
      ORDER BY (SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree(c.oid)) DESC NULLS LAST,
               pg_relation_size(c.oid) DESC, 3`,
  );
  return rows;
}

/**
 * How values are written as text depends on these, and a database may set each of them for its sessions. Rows that a policy
 * hides are an error then, not fewer rows.
 */
export async function pinSession(client: Client): Promise<void> {
  const pinned = {
    datestyle: 'ISO, YMD',
    intervalstyle: 'postgres',
    timezone: 'UTC',
    extra_float_digits: '1',
    bytea_output: 'hex',
    lc_monetary: 'C',
    search_path: '',
    row_security: 'off',
  };
  for (const [name, value] of Object.entries(pinned))
    await client.query('SELECT set_config($1, $2, false)', [name, value]);
}

export async function countOf(client: Client, table: Table): Promise<number> {
  const { rows } = await client.query<{ count: string }>(`SELECT count(*)::text AS count FROM ${quoted(table)}`);
  return Number(rows[0]?.count);
}

/**
 * Digest of what a table of so many rows holds: the sums of two hashes of each row, which no order of the rows changes, so
 * that nothing is sorted and the server may share the work. Meant against damage, not against forgers. Which rows a sample
 * has follows from their keys and the count alone: equal tables have equal ones. Undefined when a row is too large to be
 * written as text (about half a gigabyte). In a pinned session, within a transaction.
 */
export async function contentsOf(
  client: Client,
  table: Table,
  rows: number,
  whole = WHOLE_ROWS,
): Promise<TableContents | undefined> {
  const { columns, key } = table;
  const every = key.length === 0 ? 1 : samplingOf(rows, whole);
  const row = rowText(columns);
  const taken = every === 1 ? row : `CASE WHEN mod(hashtextextended(${rowText(key)}, 0), ${every}) = 0 THEN ${row} END`;
  await client.query('SAVEPOINT contents');
  try {
    // OFFSET 0 keeps the text from being made twice, once for each hash.
    const { rows: sums } = await client.query<{ a: string | null; b: string | null; n: string }>(
      `SELECT sum(hashtextextended(r, 1))::text AS a, sum(hashtextextended(r, 2))::text AS b, count(r)::text AS n
         FROM (SELECT ${taken} AS r FROM ${quoted(table)} OFFSET 0) AS t`,
    );
    await client.query('RELEASE SAVEPOINT contents');
    return { digest: digestOf({ columns, rows, every, ...sums[0] }), sampled: every > 1 };
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT contents');
    return undefined;
  }
}

/** Every how manieth row is read; a power of two. */
export function samplingOf(rows: number, whole = WHOLE_ROWS): number {
  return rows <= whole ? 1 : 2 ** Math.ceil(Math.log2(rows / whole));
}

export function quoted({ schema, table }: Pick<Table, 'schema' | 'table'>): string {
  return `${identifier(schema)}.${identifier(table)}`;
}

function rowText(columns: readonly string[]): string {
  return `ROW(${columns.map(identifier).join(', ')})::text COLLATE "C"`;
}

/** Several hands at one list: each takes the next until none is left. The first failure ends them all, and is thrown. */
export async function shared<T>(items: readonly T[], hands: readonly ((item: T) => Promise<void>)[]): Promise<void> {
  const queue = [...items];
  const work = async (act: (item: T) => Promise<void>): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await act(item);
  };
  const ended = await Promise.allSettled(
    hands.map(async (act) => {
      try {
        await work(act);
      } catch (error) {
        queue.length = 0;
        throw error;
      }
    }),
  );
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
