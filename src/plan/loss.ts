import { digestOf, type Digest, type LossReport, type LostPart, type StoreShape } from '../model/index.ts';

export interface LossQuestion {
  readonly store: string;
  /** Of the way that was gone between the two. */
  readonly way: Digest;
  readonly before: StoreShape;
  readonly after: StoreShape;
  /** The tool's own table of revisions: what goes there is no loss. */
  readonly ownTable?: string;
}

/**
 * What was in a database and is not any more. Errs on the side of a loss: a table or column that was renamed is told as
 * gone, and a column whose type changed as changed. What was empty is no loss.
 */
export function lossBetween({ store, way, before, after, ownTable }: LossQuestion): LossReport {
  const tables = Object.keys(before.tables)
    .filter((table) => ownTable === undefined || (table !== ownTable && !table.endsWith(`.${ownTable}`)))
    .sort();
  const lost = tables.flatMap((table) => lostIn(table, before, after));
  const fewerRows = tables.flatMap((table) => {
    const [then, now] = [before.tables[table]?.rows ?? 0, after.tables[table]?.rows];
    return now === undefined || now >= then ? [] : [{ table, before: then, after: now }];
  });
  return {
    lost,
    fewerRows,
    digest: digestOf({ store, way, lost: lost.map(named), fewerRows: fewerRows.map(({ table }) => table) }),
  };
}

function named({ table, column = '', change = '' }: LostPart): readonly string[] {
  return [table, column, change];
}

function lostIn(table: string, before: StoreShape, after: StoreShape): readonly LostPart[] {
  const [then, now] = [before.tables[table], after.tables[table]];
  if (then === undefined) return [];
  if (now === undefined) return then.rows === 0 ? [] : [{ table, filled: then.rows }];
  return Object.entries(then.columns)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([column, { type, filled }]): LostPart[] => {
      if (filled === 0) return [];
      const left = now.columns[column];
      if (left === undefined) return [{ table, column, filled }];
      if (left.type !== type) return [{ table, column, filled, change: `${type} → ${left.type}` }];
      // Rows that went with their values are told by their number.
      const gone = filled - left.filled - Math.max(0, then.rows - now.rows);
      return gone > 0 ? [{ table, column, filled: gone, change: 'emptied' }] : [];
    });
}

/** In one line: `pages.notes (12 values), audit (3 rows)`; undefined for nothing. */
export function lossInWords({ lost, fewerRows }: Pick<LossReport, 'lost' | 'fewerRows'>): string | undefined {
  const parts = [
    ...lost.map(({ table, column, filled, change }) => {
      if (column === undefined) return `${table} (${counted(filled, 'row')})`;
      const how = change === undefined ? '' : `, ${change}`;
      return `${table}.${column} (${counted(filled, 'value')}${how})`;
    }),
    ...fewerRows.map(({ table, before, after }) => `${table} (${before} rows before, ${after} after)`),
  ];
  return parts.length === 0 ? undefined : parts.join(', ');
}

/** Whether somebody agreed to a report: by its digest, whole or its first 12 digits or more. */
export function isAccepted(digest: Digest, accepted: readonly string[] = []): boolean {
  const hex = digest.slice('sha256:'.length);
  return accepted.some((given) => {
    const said = given.startsWith('sha256:') ? given.slice('sha256:'.length) : given;
    return said.length >= 12 && hex.startsWith(said.toLowerCase());
  });
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
