import type { Client } from 'pg';
import type { TableContents } from '../../../model/index.ts';
import type { Integrity } from '../../../ports/index.ts';
import { amcheckOf } from './amcheck.ts';
import { contentsOf, countOf, pinSession, tablesOf } from './contents.ts';
import { foreignKeysOf } from './foreign-keys.ts';

/**
 * Whether what is there fits together: counts and contents of every table, each foreign key by a query of its own, sequences
 * behind their columns, pages and indexes where the server has `amcheck`, and checksums that failed. All of one moment.
 */
export async function integrityOf(client: Client): Promise<Integrity> {
  await pinSession(client);
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const rows: Record<string, number> = {};
  const contents: Record<string, TableContents> = {};
  const unknown: string[] = [];
  for (const table of await tablesOf(client)) {
    const count = await countOf(client, table);
    const held = await contentsOf(client, table, count);
    rows[table.name] = count;
    if (held === undefined) unknown.push(`${table.name}: it has a row that is too large to be read as text`);
    else contents[table.name] = held;
  }
  const found = [
    await foreignKeysOf(client),
    await unvalidated(client),
    await sequencesOf(client),
    await checksumsOf(client),
    await amcheckOf(client),
  ];
  await client.query('COMMIT');
  return {
    rows: sortedByName(rows),
    contents: sortedByName(contents),
    problems: found.flatMap(({ problems }) => problems),
    unknown: [...unknown, ...found.flatMap((one) => one.unknown)],
  };
}

export type Found = Pick<Integrity, 'problems' | 'unknown'>;

/** Constraints other than foreign keys that the server itself does not vouch for. */
async function unvalidated(client: Client): Promise<Found> {
  const { rows } = await client.query<{ name: string; table: string }>(
    `SELECT conname AS name, conrelid::regclass::text AS table FROM pg_constraint
      WHERE NOT convalidated AND contype <> 'f' ORDER BY 2, 1`,
  );
  return { problems: [], unknown: rows.map(({ name, table }) => `${table}: ${name} was never validated`) };
}

/** A sequence behind its column: the next row that is written collides with one that is there. */
async function sequencesOf(client: Client): Promise<Found> {
  const { rows } = await client.query<{ table: string; column: string; sequence: string; next: string }>(
    `SELECT d.refobjid::regclass::text AS table, quote_ident(a.attname) AS column, d.objid::regclass::text AS sequence,
            coalesce(pg_sequence_last_value(d.objid) + s.seqincrement, s.seqstart)::text AS next
       FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid AND s.seqincrement > 0 AND NOT s.seqcycle
       JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
       JOIN pg_index i ON i.indrelid = d.refobjid AND i.indisunique AND i.indnatts = 1 AND i.indkey[0] = a.attnum
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      ORDER BY 1, 2`,
  );
  const problems: string[] = [];
  for (const { table, column, sequence, next } of rows) {
    const { rows: highest } = await client.query<{ top: string | null }>(
      `SELECT max(${column})::text AS top FROM ${table}`,
    );
    const top = highest[0]?.top ?? null;
    if (top !== null && BigInt(top) >= BigInt(next))
      problems.push(`${table}: ${sequence} gives ${next} next, and ${column} has ${top} already`);
  }
  return { problems, unknown: [] };
}

/** Pages that were not what was written, since the statistics of this database were last reset. */
async function checksumsOf(client: Client): Promise<Found> {
  const { rows } = await client.query<{ failures: string | null }>(
    `SELECT checksum_failures::text AS failures FROM pg_stat_database WHERE datname = current_database()`,
  );
  const failures = rows[0]?.failures ?? null;
  if (failures === null) return { problems: [], unknown: ['pages: this server keeps no checksums of them'] };
  if (failures === '0') return { problems: [], unknown: [] };
  return { problems: [`pages: ${failures} failed their checksum, the server says`], unknown: [] };
}

function sortedByName<T>(record: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
