import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import type { Digest } from '../../../model/index.ts';
import type { SwapState } from '../../../ports/index.ts';
import { type Access, connected, identifier, literal } from './connection.ts';
import type { Table } from './contents.ts';
import { besideName } from './names.ts';

/** What a schema beside holds of a table: its rows as restored, as they were before the exchange, and before that was undone. */
export type Slot = 'then' | 'before' | 'undone';

/** Written on the schema of a run, in the transaction that makes it true. */
export interface TablesMark {
  readonly state: Exclude<SwapState, 'nothing'>;
  readonly backup: string;
  readonly digest: Digest;
  /** `schema.table`. */
  readonly tables: readonly string[];
}

const LEAD = 'backstay tables ';

/** Stands in the live database itself, as the rows have to be exchanged within one transaction. */
export function schemaOf(access: Access, run: string): string {
  return besideName(access.connection.database, run);
}

export async function markIn(client: Client, schema: string): Promise<TablesMark | undefined> {
  const { rows } = await client.query<{ said: string | null }>(
    `SELECT obj_description(oid, 'pg_namespace') AS said FROM pg_namespace WHERE nspname = $1`,
    [schema],
  );
  const said = rows[0]?.said ?? '';
  return said.startsWith(LEAD) ? (JSON.parse(said.slice(LEAD.length)) as TablesMark) : undefined;
}

export async function setMark(client: Client, schema: string, mark: TablesMark): Promise<void> {
  await client.query(`COMMENT ON SCHEMA ${identifier(schema)} IS ${literal(LEAD + JSON.stringify(mark))}`);
}

/** Where an exchange of tables stands; `nothing` also for one that was never restored to its end. */
export async function tablesState(access: Access, run: string): Promise<SwapState> {
  const schema = schemaOf(access, run);
  return (await connected(access, async (client) => await markIn(client, schema)))?.state ?? 'nothing';
}

/** Quoted name of a table's rows in a schema beside. Names that are too long are told apart by a digest. */
export function slotOf(schema: string, slot: Slot, { name }: Pick<Table, 'name'>): string {
  return `${identifier(schema)}.${identifier(slotTable(slot, name))}`;
}

export function slotTable(slot: Slot, name: string): string {
  const whole = `${slot} ${name}`;
  if (Buffer.byteLength(whole) <= 63) return whole;
  return `${slot} ${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}

/** Gives its name when it was there. */
export async function dropSchema(access: Access, run: string): Promise<readonly string[]> {
  const schema = schemaOf(access, run);
  return await connected(access, async (client) => {
    const { rows } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
    if (rows.length === 0) return [];
    await client.query(`DROP SCHEMA ${identifier(schema)} CASCADE`);
    return [`schema ${schema}`];
  });
}
