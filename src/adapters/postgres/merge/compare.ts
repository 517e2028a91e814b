import { createHash, type Hash } from 'node:crypto';
import type { Client } from 'pg';
import { differences, digestOf, insertionOrder, type MergeReport, type TableMerge } from '../../../model/index.ts';
import { contentsOf, countOf } from '../store/contents.ts';
import { foreignKeys, rowsOf, type TypedTable, typedTables } from './tables.ts';

/** Keys of changed rows that are told to people, by table. */
const TOLD = 20;

/** What says where the schema stands goes with the schema: taken over, it would claim migrations that the data never saw. */
const REVISIONS = ['alembic_version', 'schema_migrations', 'flyway_schema_history'] as const;

export interface CompareOptions {
  /** Table of the stack's own in which a migration tool keeps revisions. */
  readonly revisions?: string;
  readonly signal?: AbortSignal;
}

/** Told of every row that is new or changed, while the tables are gone through. */
export interface Listener {
  begin(table: TypedTable): Promise<void>;
  row(table: TypedTable, kind: 'fresh' | 'changed', key: readonly string[]): Promise<void>;
  end(table: TypedTable): Promise<void>;
}

/**
 * Compares live data with a backup that stands beside it, row by row by their primary keys. Both in pinned sessions, within
 * transactions. Memory does not grow with the tables.
 */
export async function compare(
  live: Client,
  backup: Client,
  options: CompareOptions & { readonly listener?: Listener } = {},
): Promise<MergeReport> {
  const revisions = [...REVISIONS, ...(options.revisions === undefined ? [] : [options.revisions])];
  const [now, then] = [await typedTables(live), await typedTables(backup)];
  const tables: TableMerge[] = [];
  const refused: string[] = [];
  const hash = createHash('sha256');
  for (const [name, table] of now) {
    options.signal?.throwIfAborted();
    if (revisions.some((one) => name === one || name.endsWith(`.${one}`))) continue;
    const former = then.get(name);
    const why = former === undefined ? await withoutFormer(live, table) : unlike(table, former);
    if (why !== undefined) refused.push(why);
    if (why !== undefined || former === undefined) continue;
    if (table.key.length > 0) tables.push(await compareTable(live, backup, table, hash, options));
    else if (!(await areEqual(live, backup, table))) refused.push(`${name}: it has no primary key, and changed`);
  }
  for (const [name, table] of then) {
    if (now.has(name)) continue;
    const rows = await countOf(backup, table);
    tables.push({
      table: name,
      backup: rows,
      live: 0,
      same: 0,
      fresh: 0,
      changed: 0,
      returning: rows,
      changedKeys: [],
    });
  }
  const growing = tables.filter(({ fresh }) => fresh > 0).map(({ table }) => table);
  const order = insertionOrder(growing, await foreignKeys(backup));
  if (order.kind === 'circle') refused.push(`${order.tables.join(', ')}: they refer to each other, and have new rows`);
  return { tables, refused, digest: digestOf({ tables: [...tables], refused, rows: hash.digest('hex') }) };
}

async function compareTable(
  live: Client,
  backup: Client,
  table: TypedTable,
  hash: Hash,
  { listener, signal }: { readonly listener?: Listener; readonly signal?: AbortSignal },
): Promise<TableMerge> {
  const counts = { same: 0, fresh: 0, changed: 0, returning: 0 };
  const changedKeys: string[] = [];
  await listener?.begin(table);
  for await (const difference of differences(rowsOf(live, table), rowsOf(backup, table))) {
    counts[difference.kind] += 1;
    if (!('digest' in difference)) continue;
    signal?.throwIfAborted();
    const { kind, key, digest } = difference;
    hash.update(`${JSON.stringify([table.name, kind, key, digest])}\n`);
    if (kind === 'changed' && changedKeys.length < TOLD) changedKeys.push(key.join('/'));
    await listener?.row(table, kind, key);
  }
  await listener?.end(table);
  const { same, fresh, changed, returning } = counts;
  return {
    table: table.name,
    backup: same + changed + returning,
    live: same + changed + fresh,
    ...counts,
    changedKeys,
  };
}

async function withoutFormer(live: Client, table: TypedTable): Promise<string | undefined> {
  const rows = await countOf(live, table);
  return rows === 0 ? undefined : `${table.name}: it is not in the backup, and has ${rows} rows`;
}

/** Rows fit only into columns of the same types, and are the same only by the same key. */
function unlike(table: TypedTable, former: TypedTable): string | undefined {
  const names = [...new Set([...table.columns, ...former.columns])].sort();
  const other = names.filter(
    (name) =>
      table.types[name] !== former.types[name] || table.written.includes(name) !== former.written.includes(name),
  );
  if (other.length > 0) return `${table.name}: columns differ from the backup's (${other.join(', ')})`;
  if (table.key.join() !== former.key.join()) return `${table.name}: its primary key is not the backup's`;
  return undefined;
}

async function areEqual(live: Client, backup: Client, table: TypedTable): Promise<boolean> {
  const [a, b] = [await countOf(live, table), await countOf(backup, table)];
  if (a !== b) return false;
  const [now, then] = [await contentsOf(live, table, a), await contentsOf(backup, table, b)];
  return now !== undefined && !now.sampled && now.digest === then?.digest;
}
