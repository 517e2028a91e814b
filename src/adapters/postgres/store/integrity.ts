import type { Client } from 'pg';
import type { Integrity } from '../../../ports/index.ts';
import { countRows } from './inspect.ts';

/** Counts, and the constraints that the server itself does not vouch for. */
export async function integrityOf(client: Client): Promise<Integrity> {
  const rows = await countRows(client);
  const { rows: doubtful } = await client.query<{ name: string; table: string }>(
    `SELECT conname AS name, conrelid::regclass::text AS table FROM pg_constraint WHERE NOT convalidated ORDER BY 2, 1`,
  );
  return {
    rows,
    contents: {},
    problems: [],
    unknown: doubtful.map(({ name, table }) => `${table}: ${name} was never validated`),
  };
}
