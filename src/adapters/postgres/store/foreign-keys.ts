import type { Client } from 'pg';
import type { Found } from './integrity.ts';

interface ForeignKey {
  readonly name: string;
  /** Quoted, with its schema; `ONLY` where children are tables of their own. */
  readonly child: string;
  readonly parent: string;
  readonly columns: readonly string[];
  readonly references: readonly string[];
  /** `MATCH FULL`: a key is whole or not there at all. */
  readonly full: boolean;
  readonly validated: boolean;
  readonly definition: string;
}

/**
 * Each foreign key by a query over the tables themselves, their indexes left aside: a broken index is what makes the
 * server's own checks miss something, and restores and replication may have gone past them.
 */
export async function foreignKeysOf(client: Client): Promise<Found> {
  const { rows } = await client.query<ForeignKey>(
    `SELECT k.conname AS name, CASE c.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || k.conrelid::regclass::text AS child,
            k.confrelid::regclass::text AS parent, k.confmatchtype = 'f' AS full, k.convalidated AS validated,
            pg_get_constraintdef(k.oid) AS definition,
            ARRAY(SELECT quote_ident(attname) FROM unnest(k.conkey) WITH ORDINALITY AS u (n, at)
                    JOIN pg_attribute ON attrelid = k.conrelid AND attnum = n ORDER BY at) AS columns,
            ARRAY(SELECT quote_ident(attname) FROM unnest(k.confkey) WITH ORDINALITY AS u (n, at)
                    JOIN pg_attribute ON attrelid = k.confrelid AND attnum = n ORDER BY at) AS references
       FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
      WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY 2, 1`,
  );
  const problems: string[] = [];
  const unknown: string[] = [];
  // A join that has no index to go by must not go row by row through the other table.
  for (const way of ['indexscan', 'indexonlyscan', 'bitmapscan', 'nestloop'])
    await client.query(`SET LOCAL enable_${way} = off`);
  for (const key of rows) {
    const table = key.child.replace('ONLY ', '');
    if (/\bPERIOD\b|NOT ENFORCED/.test(key.definition)) {
      unknown.push(`${table}: ${key.name} is of a kind that is not looked at (${key.definition})`);
      continue;
    }
    const { rows: lost } = await client.query<{ count: string }>(orphans(key));
    const count = lost[0]?.count ?? '0';
    const doubt = key.validated ? '' : ' (never validated)';
    if (count !== '0')
      problems.push(`${table}: ${count} rows refer to nothing in ${key.parent} by ${key.name}${doubt}`);
  }
  for (const way of ['indexscan', 'indexonlyscan', 'bitmapscan', 'nestloop'])
    await client.query(`SET LOCAL enable_${way} TO DEFAULT`);
  return { problems, unknown };
}

function orphans({ child, parent, columns, references, full }: ForeignKey): string {
  const given = columns.map((column) => `c.${column} IS NOT NULL`).join(' AND ');
  const equal = columns.map((column, at) => `p.${references[at] ?? column} = c.${column}`).join(' AND ');
  const lost = `(${given}) AND NOT EXISTS (SELECT FROM ${parent} AS p WHERE ${equal})`;
  const partly = `num_nulls(${columns.map((column) => `c.${column}`).join(', ')}) BETWEEN 1 AND ${columns.length - 1}`;
  return `SELECT count(*)::text AS count FROM ${child} AS c WHERE ${full ? `${lost} OR ${partly}` : lost}`;
}
