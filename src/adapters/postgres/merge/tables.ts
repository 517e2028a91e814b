import type { Client } from 'pg';
import type { KeyedRow } from '../../../model/index.ts';
import { identifier } from '../store/connection.ts';
import { quoted, type Table, tablesOf } from '../store/contents.ts';

/** A table whose rows can be told apart and taken over. */
export interface TypedTable extends Table {
  /** As the server writes it, by column. */
  readonly types: Readonly<Record<string, string>>;
  /** Columns that can be written; others are computed by the server. */
  readonly written: readonly string[];
}

/** By name. In a pinned session, in which types of users have their schema. */
export async function typedTables(client: Client): Promise<ReadonlyMap<string, TypedTable>> {
  const { rows } = await client.query<{ table: string; column: string; type: string; computed: boolean }>(
    `SELECT n.nspname || '.' || c.relname AS "table", a.attname::text AS "column", a.attgenerated <> '' AS computed,
            format_type(a.atttypid, a.atttypmod) AS type
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.relkind IN ('r', 'p') ORDER BY a.attname COLLATE "C"`,
  );
  const columns = Map.groupBy(rows, ({ table }) => table);
  const tables = await tablesOf(client);
  return new Map(
    tables
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((table) => {
        const own = columns.get(table.name) ?? [];
        const types = Object.fromEntries(own.map(({ column, type }) => [column, type]));
        return [
          table.name,
          { ...table, types, written: own.filter((one) => !one.computed).map(({ column }) => column) },
        ];
      }),
  );
}

export interface ForeignKey {
  readonly name: string;
  /** `schema.table`, both. */
  readonly from: string;
  readonly to: string;
  readonly columns: readonly string[];
  readonly references: readonly string[];
}

export async function foreignKeys(client: Client): Promise<readonly ForeignKey[]> {
  const { rows } = await client.query<ForeignKey>(
    `SELECT k.conname AS name, fn.nspname || '.' || f.relname AS "from", tn.nspname || '.' || t.relname AS "to",
            ARRAY(SELECT attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (n, at)
                    JOIN pg_attribute ON attrelid = k.conrelid AND attnum = n ORDER BY at) AS columns,
            ARRAY(SELECT attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (n, at)
                    JOIN pg_attribute ON attrelid = k.confrelid AND attnum = n ORDER BY at) AS "references"
       FROM pg_constraint k
       JOIN pg_class f ON f.oid = k.conrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
       JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
      WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY 2, 1`,
  );
  return rows;
}

/** Rows that come over the wire at once. */
const BATCH = 5_000;

/** Every row by its key and a digest, in the order of the bytes of the key. Within a transaction; one at a time. */
export async function* rowsOf(client: Client, table: TypedTable): AsyncGenerator<KeyedRow> {
  const key = table.key.map((column) => `${identifier(column)}::text`);
  const row = `ROW(${table.columns.map(identifier).join(', ')})::text`;
  await client.query(
    `DECLARE backstay_rows NO SCROLL CURSOR FOR
       SELECT ARRAY[${key.join(', ')}] AS key, encode(sha256(convert_to(${row}, 'UTF8')), 'hex') AS digest
         FROM ${quoted(table)} ORDER BY ${key.map((part) => `convert_to(${part}, 'UTF8')`).join(', ')}`,
  );
  for (;;) {
    const { rows } = await client.query<KeyedRow>(`FETCH ${BATCH} FROM backstay_rows`);
    if (rows.length === 0) break;
    yield* rows;
  }
  await client.query('CLOSE backstay_rows');
}

/** Rows with these keys, each value as text, in the order of `written`. */
export async function valuesOf(
  client: Client,
  { key, types, written, ...table }: TypedTable,
  keys: readonly (readonly string[])[],
): Promise<readonly (readonly (string | null)[])[]> {
  const names = key.map((_column, at) => `k${at}`);
  const same = key.map((column, at) => `t.${identifier(column)} = u.k${at}::${types[column] ?? 'text'}`);
  const { rows } = await client.query<(string | null)[]>({
    text: `SELECT ${written.map((column) => `t.${identifier(column)}::text`).join(', ')}
             FROM unnest(${key.map((_column, at) => `$${at + 1}::text[]`).join(', ')}) AS u (${names.join(', ')})
             JOIN ${quoted(table)} AS t ON ${same.join(' AND ')}`,
    values: key.map((_column, at) => keys.map((one) => one[at])),
    rowMode: 'array',
  });
  return rows;
}

/** Writes rows of `valuesOf` into a table with these columns. `why`: what its first column says, where it has one. */
export async function writeValues(
  client: Client,
  into: string,
  { types, written }: TypedTable,
  rows: readonly (readonly (string | null)[])[],
  why?: string,
): Promise<void> {
  if (rows.length === 0) return;
  const parts = written.map((column, at) => `u.c${at}::${types[column] ?? 'text'}`);
  const lead = why === undefined ? [] : [`$${written.length + 1}::text`];
  await client.query(
    `INSERT INTO ${into} SELECT ${[...lead, ...parts].join(', ')}
       FROM unnest(${written.map((_column, at) => `$${at + 1}::text[]`).join(', ')}) AS u (${written.map((_column, at) => `c${at}`).join(', ')})`,
    [...written.map((_column, at) => rows.map((row) => row[at])), ...(why === undefined ? [] : [why])],
  );
}
