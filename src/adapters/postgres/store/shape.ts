import type { Client } from 'pg';
import { digestOf, type StoreShape } from '../../../model/index.ts';
import type { StoreSession } from '../../../ports/index.ts';
import { APPLICATION, identifier } from './connection.ts';

interface ColumnRow {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  readonly type: string;
  readonly nullable: boolean;
}

/** Tables and columns of users, and how many rows have a value in each: one pass over each table. */
export async function shapeOf(client: Client): Promise<StoreShape> {
  const { rows } = await client.query<ColumnRow>(
    `SELECT n.nspname AS schema, c.relname AS table, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type,
            NOT a.attnotnull AS nullable
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT LIKE '%\\_\\_bs\\_%'
      ORDER BY 1, 2, 3`,
  );
  const tables: Record<string, StoreShape['tables'][string]> = {};
  for (const [name, columns] of Map.groupBy(rows, ({ schema, table }) => `${schema}.${table}`)) {
    const [{ schema, table } = { schema: '', table: '' }] = columns;
    const counts = columns.map(({ column }) => `count(${identifier(column)})::text`);
    const { rows: counted } = await client.query<string[]>({
      text: `SELECT count(*)::text, ${counts.join(', ')} FROM ${identifier(schema)}.${identifier(table)}`,
      rowMode: 'array',
    });
    const [all = '0', ...filled] = counted[0] ?? [];
    tables[name] = {
      rows: Number(all),
      columns: Object.fromEntries(
        columns.map(({ column, type, nullable }, at) => [column, { type, nullable, filled: Number(filled[at]) }]),
      ),
    };
  }
  const schema = Object.entries(tables).map(([name, { columns }]) => ({
    name,
    columns: Object.entries(columns).map(([column, { type, nullable }]) => ({ column, type, nullable })),
  }));
  return { tables, schema: digestOf(schema) };
}

/** Who else is in this database, autovacuum and its like left out. */
export async function otherSessions(client: Client): Promise<readonly StoreSession[]> {
  const { rows } = await client.query<{ application: string; user: string; address: string; busy: string | null }>(
    `SELECT application_name AS application, coalesce(usename, '') AS user, coalesce(host(client_addr), '') AS address,
            CASE WHEN state <> 'idle' THEN (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::bigint::text END AS busy
       FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
        AND application_name NOT LIKE $1 ORDER BY 1, 2, 3`,
    [`${APPLICATION}%`],
  );
  return rows.map(({ busy, ...session }) => ({ ...session, ...(busy === null ? {} : { busyMs: Number(busy) }) }));
}
