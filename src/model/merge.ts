import type { Digest } from './json.ts';

/** What became of the rows of one table since a backup, row by row by its primary key. */
export interface TableMerge {
  /** `schema.table`. */
  readonly table: string;
  /** Rows in the backup. */
  readonly backup: number;
  /** Rows in the live data. */
  readonly live: number;
  /** In both, and equal. */
  readonly same: number;
  /** Only in the live data: they are kept. */
  readonly fresh: number;
  /** In both and different: the backup's is taken, the live one is set aside. */
  readonly changed: number;
  /** Only in the backup: they come back. */
  readonly returning: number;
  /** Primary keys of the first rows that changed, as they are told to people. */
  readonly changedKeys: readonly string[];
}

/** What would be kept of live data that is taken back to a backup. Frozen in the plan: what was reported is what is done. */
export interface MergeReport {
  readonly tables: readonly TableMerge[];
  /** Why nothing can be kept, in words; empty: it can. */
  readonly refused: readonly string[];
  /** Over the keys and contents of every row that is new or changed, and the counts. */
  readonly digest: Digest;
}

/** A table after its new rows were taken over. */
export interface MergedTable {
  readonly table: string;
  readonly backup: number;
  readonly live: number;
  readonly same: number;
  readonly changed: number;
  /** New rows that are in the restored table now. */
  readonly kept: number;
  /** Rows of the live data that are in quarantine: those that changed, and new ones that do not fit what was restored. */
  readonly quarantined: number;
  /** Rows in the restored table, counted. */
  readonly now: number;
}

export interface Merged {
  readonly tables: readonly MergedTable[];
  /** Where the rows that were set aside are. */
  readonly quarantine: string;
  readonly message: string;
}

/** Whether every row is accounted for: each of the live ones is there, or equal to one that is, or set aside. */
export function doesAddUp({ backup, live, same, kept, quarantined, now }: MergedTable): boolean {
  return now === backup + kept && live === same + kept + quarantined;
}

export interface MergeTotals {
  readonly fresh: number;
  readonly changed: number;
  readonly returning: number;
}

export function totalsOf(tables: readonly TableMerge[]): MergeTotals {
  return tables.reduce(
    (sum, one) => ({
      fresh: sum.fresh + one.fresh,
      changed: sum.changed + one.changed,
      returning: sum.returning + one.returning,
    }),
    { fresh: 0, changed: 0, returning: 0 },
  );
}

/** A line for each table that is not what it was. */
export function describeMerge({ tables }: Pick<MergeReport, 'tables'>): readonly string[] {
  return tables
    .filter(({ fresh, changed, returning }) => fresh + changed + returning > 0)
    .map(({ table, fresh, changed, returning, changedKeys }) => {
      const more = changed > changedKeys.length ? ', …' : '';
      const keys = changed === 0 ? '' : ` (${changedKeys.join(', ')}${more})`;
      return `${table}: ${fresh} new rows are kept, ${changed} changed ones set aside${keys}, ${returning} deleted ones come back`;
    });
}

/** A row by its primary key, and a digest of what it holds. */
export interface KeyedRow {
  readonly key: readonly string[];
  readonly digest: string;
}

export type Difference =
  | { readonly kind: 'same' | 'returning'; readonly key: readonly string[] }
  | { readonly kind: 'fresh' | 'changed'; readonly key: readonly string[]; readonly digest: string };

/** Goes through two tables side by side; both in the order of their keys' bytes. */
export async function* differences(
  live: AsyncIterable<KeyedRow>,
  backup: AsyncIterable<KeyedRow>,
): AsyncGenerator<Difference> {
  const [a, b] = [live[Symbol.asyncIterator](), backup[Symbol.asyncIterator]()];
  let [left, right] = [await a.next(), await b.next()];
  while (left.done !== true || right.done !== true) {
    const order = left.done === true ? 1 : right.done === true ? -1 : compareKeys(left.value.key, right.value.key);
    if (order < 0 && left.done !== true) {
      yield { kind: 'fresh', ...left.value };
      left = await a.next();
    } else if (order > 0 && right.done !== true) {
      yield { kind: 'returning', key: right.value.key };
      right = await b.next();
    } else if (left.done !== true && right.done !== true) {
      const { key, digest } = left.value;
      yield digest === right.value.digest ? { kind: 'same', key } : { kind: 'changed', key, digest };
      [left, right] = [await a.next(), await b.next()];
    }
  }
}

function compareKeys(a: readonly string[], b: readonly string[]): number {
  for (const [at, part] of a.entries()) {
    const order = Buffer.compare(Buffer.from(part), Buffer.from(b[at] ?? ''));
    if (order !== 0) return order;
  }
  return 0;
}

/** `from` refers to `to`: rows of `to` have to be there first. */
export interface Reference {
  readonly from: string;
  readonly to: string;
}

export type InsertionOrder =
  | { readonly kind: 'ordered'; readonly tables: readonly string[] }
  /** Tables that refer to each other in a circle. */
  | { readonly kind: 'circle'; readonly tables: readonly string[] };

/** Tables so that none comes before one that it refers to; those that could go in any order, by their names. */
export function insertionOrder(tables: readonly string[], references: readonly Reference[]): InsertionOrder {
  const among = new Set(tables);
  const needs = new Map(tables.map((table) => [table, new Set<string>()]));
  for (const { from, to } of references) if (from !== to && among.has(to)) needs.get(from)?.add(to);
  const ordered: string[] = [];
  while (needs.size > 0) {
    const ready = [...needs].flatMap(([table, on]) => (on.size === 0 ? [table] : [])).sort();
    if (ready.length === 0) return { kind: 'circle', tables: [...needs.keys()].sort() };
    for (const table of ready) needs.delete(table);
    for (const on of needs.values()) for (const table of ready) on.delete(table);
    ordered.push(...ready);
  }
  return { kind: 'ordered', tables: ordered };
}
