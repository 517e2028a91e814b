import type { Client } from 'pg';
import type { Found } from './integrity.ts';

/** What is told of damage at most; a broken disk has more of it than anybody reads. */
const TOLD = 20;

/**
 * Pages of tables and their B-tree indexes, by the server's own `amcheck`, where somebody installed it and we may use it: it is not
 * installed by us, for that would change the database that is looked at.
 */
export async function amcheckOf(client: Client): Promise<Found> {
  const { rows: installed } = await client.query<{ schema: string; allowed: boolean; heap: boolean }>(
    `SELECT quote_ident(n.nspname) AS schema,
            bool_and(has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')) AS allowed,
            bool_or(p.proname = 'verify_heapam') AS heap
       FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
       JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname IN ('bt_index_check', 'verify_heapam')
      WHERE e.extname = 'amcheck' GROUP BY 1`,
  );
  const [amcheck] = installed;
  if (amcheck === undefined)
    return { problems: [], unknown: ['pages and indexes: the extension amcheck is not installed in this database'] };
  if (!amcheck.allowed) return { problems: [], unknown: ['pages and indexes: this user may not use amcheck'] };
  const problems = [
    ...(amcheck.heap ? await damagedPages(client, amcheck.schema) : []),
    ...(await damagedIndexes(client, amcheck.schema)),
  ];
  const more = problems.length > TOLD ? [`and ${problems.length - TOLD} more of this kind`] : [];
  return { problems: [...problems.slice(0, TOLD), ...more], unknown: [] };
}

async function damagedPages(client: Client, schema: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ table: string; block: string; message: string }>(
    `SELECT c.oid::regclass::text AS table, v.blkno::text AS block, v.msg AS message
       FROM pg_class c JOIN pg_am m ON m.oid = c.relam AND m.amname = 'heap' JOIN pg_namespace n ON n.oid = c.relnamespace,
            LATERAL ${schema}.verify_heapam(c.oid::regclass) AS v
      WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND n.nspname <> 'information_schema' LIMIT $1`,
    [TOLD + 1],
  );
  return rows.map(({ table, block, message }) => `${table}: page ${block}: ${message}`);
}

/** Every row of the table is looked for in the index, too: one that lost some still looks sound. */
async function damagedIndexes(client: Client, schema: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ oid: string; name: string }>(
    `SELECT i.indexrelid::text AS oid, i.indexrelid::regclass::text AS name
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
      WHERE m.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence = 'p' AND i.indisready AND i.indisvalid ORDER BY 2`,
  );
  const problems: string[] = [];
  for (const { oid, name } of rows) {
    await client.query('SAVEPOINT one');
    try {
      await client.query(`SELECT ${schema}.bt_index_check($1::oid::regclass, true)`, [oid]);
      await client.query('RELEASE SAVEPOINT one');
    } catch (error) {
      const { code = '', message, detail } = error as { code?: string; message: string; detail?: string };
      // Of class XX: data or index corrupted. Anything else is no finding, but a check that could not be made.
      if (!code.startsWith('XX')) throw error;
      await client.query('ROLLBACK TO SAVEPOINT one');
      problems.push(`${name}: ${message}${detail === undefined ? '' : ` (${detail})`}`);
    }
  }
  return problems;
}
