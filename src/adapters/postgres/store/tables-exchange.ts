import type { Client } from 'pg';
import { BackstayError } from '../../../errors/index.ts';
import type { Swapped } from '../../../ports/index.ts';
import { type Access, connected, identifier, literal } from './connection.ts';
import { contentsOf, countOf, pinSession, quoted, type Table, tablesOf } from './contents.ts';
import { assertFence, MAINTENANCE } from './fence.ts';
import { markIn, schemaOf, setMark, type Slot, slotOf, slotTable, type TablesMark } from './tables-beside.ts';
import { chosenTables } from './tables-chosen.ts';

/** A lock that others hold is waited for as long as the connection's limit says, so many times. */
const ATTEMPTS = 5;

const TURNS = {
  swap: { from: 'then', keep: 'before', needs: 'before', state: 'swapped' },
  undo: { from: 'before', keep: 'undone', needs: 'swapped', state: 'undone' },
} as const satisfies Record<string, { from: Slot; keep: Slot; needs: TablesMark['state']; state: TablesMark['state'] }>;

/**
 * Exchanges the rows of a run's tables for those beside, or back again, in one transaction: foreign keys from and to them are
 * taken off and set again, which makes the server check every row; triggers of users stay silent; sequences are raised, never
 * lowered. What was live is kept beside until the run is finalized. Done twice it has one effect.
 * @throws STORE_FENCED, STORE_FAILED with nothing exchanged
 */
export async function exchangeTables(
  access: Access,
  run: string,
  epoch: number,
  turn: keyof typeof TURNS,
): Promise<Swapped> {
  const { needs, state } = TURNS[turn];
  const schema = schemaOf(access, run);
  const kept = `schema ${schema}`;
  return await connected(access, async (client) => {
    const mark = await markIn(client, schema);
    if (mark?.state === state) return { kept, unavailableMs: 0 };
    if (mark?.state !== needs) throw new BackstayError('STORE_FAILED', `run ${run} has no tables to exchange`);
    const tables = chosenTables(await tablesOf(client), mark.tables);
    await pinSession(client);
    const unavailableMs = await connected(
      access,
      async (fence) => await attempts(client, fence, { access, epoch, schema, tables, mark, turn }),
      { database: MAINTENANCE },
    );
    // Statistics are of the former rows; a failure here takes nothing back.
    await client.query(`ANALYZE ${tables.map(quoted).join(', ')}`).catch(() => undefined);
    return { kept, unavailableMs };
  });
}

interface Exchange {
  readonly access: Access;
  readonly epoch: number;
  readonly schema: string;
  readonly tables: readonly Table[];
  readonly mark: TablesMark;
  readonly turn: keyof typeof TURNS;
}

async function attempts(client: Client, fence: Client, exchange: Exchange): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const began = performance.now();
    try {
      // The fence's row stays locked until the exchange is committed: nobody can take it in between.
      await fence.query('BEGIN');
      await assertFence(fence, exchange.access.connection.database, exchange.epoch);
      await client.query('BEGIN');
      await exchanged(client, exchange);
      await client.query('COMMIT');
      return Math.round(performance.now() - began);
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      const { code, message } = error as { readonly code?: string; readonly message: string };
      // 55P03: a lock was not to be had in time; 40P01: two waited for each other.
      if (attempt < ATTEMPTS && (code === '55P03' || code === '40P01')) continue;
      if (error instanceof BackstayError) throw error;
      throw new BackstayError('STORE_FAILED', `the rows could not be exchanged: ${message}`, {
        cause: error,
        next: 'Nothing was exchanged. Where rows of other tables refer to rows that the backup has not, name those tables as well.',
        details: { tables: exchange.tables.map(({ name }) => name), code: code ?? null },
      });
    } finally {
      await fence.query('ROLLBACK').catch(() => undefined);
    }
  }
}

async function exchanged(client: Client, { schema, tables, mark, turn }: Exchange): Promise<void> {
  const { from, keep, state } = TURNS[turn];
  await client.query(`LOCK TABLE ${tables.map(quoted).join(', ')} IN ACCESS EXCLUSIVE MODE`);
  const keys = await keysOf(client, tables);
  for (const { child, name } of keys) await client.query(`ALTER TABLE ${child} DROP CONSTRAINT ${name}`);
  for (const table of tables) {
    const triggers = await triggersOf(client, table);
    await client.query(`ALTER TABLE ${quoted(table)} DISABLE TRIGGER USER`);
    await client.query(`CREATE TABLE ${slotOf(schema, keep, table)} AS TABLE ${quoted(table)}`);
    await client.query(`DELETE FROM ${quoted(table)}`);
    const columns = (await writableOf(client, table)).map(identifier).join(', ');
    await client.query(
      `INSERT INTO ${quoted(table)} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM ${slotOf(schema, from, table)}`,
    );
    for (const { name, on } of triggers) await client.query(`ALTER TABLE ${quoted(table)} ${on} TRIGGER ${name}`);
    await assertSame(client, table, { ...table, schema, table: slotTable(from, table.name) });
    await raiseSequences(client, table);
  }
  for (const { child, name, definition, comment } of keys) {
    await client.query(`ALTER TABLE ${child} ADD CONSTRAINT ${name} ${definition}`);
    if (comment !== null) await client.query(`COMMENT ON CONSTRAINT ${name} ON ${child} IS ${literal(comment)}`);
  }
  await setMark(client, schema, { ...mark, state });
}

interface Key {
  readonly child: string;
  readonly name: string;
  readonly definition: string;
  readonly comment: string | null;
}

/** Foreign keys of these tables and those that lead to them, from wherever. */
async function keysOf(client: Client, tables: readonly Table[]): Promise<readonly Key[]> {
  const { rows } = await client.query<Key>(
    `SELECT conrelid::regclass::text AS child, quote_ident(conname) AS name, pg_get_constraintdef(oid) AS definition,
            obj_description(oid, 'pg_constraint') AS comment
       FROM pg_constraint
      WHERE contype = 'f' AND conparentid = 0
        AND (conrelid = ANY($1::regclass[]::oid[]) OR confrelid = ANY($1::regclass[]::oid[])) ORDER BY 1, 2`,
    [tables.map(quoted)],
  );
  return rows;
}

const ENABLED: Readonly<Record<string, string>> = {
  O: 'ENABLE',
  D: 'DISABLE',
  R: 'ENABLE REPLICA',
  A: 'ENABLE ALWAYS',
};

/** Triggers of users, and how each was switched: they are switched so again. */
async function triggersOf(client: Client, table: Table) {
  const { rows } = await client.query<{ name: string; enabled: string }>(
    `SELECT quote_ident(tgname) AS name, tgenabled AS enabled FROM pg_trigger
      WHERE tgrelid = $1::regclass AND NOT tgisinternal ORDER BY 1`,
    [quoted(table)],
  );
  return rows.map(({ name, enabled }) => ({ name, on: ENABLED[enabled] ?? 'ENABLE' }));
}

async function writableOf(client: Client, table: Table): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
    [quoted(table)],
  );
  return rows.map(({ name }) => name);
}

/** What is live now is what stood beside. @throws STORE_FAILED */
async function assertSame(client: Client, live: Table, beside: Table): Promise<void> {
  const [now, then] = [await countOf(client, live), await countOf(client, beside)];
  const [held, stood] = [await contentsOf(client, live, now), await contentsOf(client, beside, then)];
  if (now === then && held?.digest === stood?.digest) return;
  throw new BackstayError('STORE_FAILED', `${live.name}: what was written is not what stood beside (a rule, perhaps)`);
}

/** The next row must not collide with one that came back. */
async function raiseSequences(client: Client, table: Table): Promise<void> {
  const { rows } = await client.query<{ column: string; sequence: string }>(
    `SELECT quote_ident(a.attname) AS column, d.objid::regclass::text AS sequence
       FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid AND s.seqincrement > 0
       JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.refobjid = $1::regclass AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')`,
    [quoted(table)],
  );
  for (const { column, sequence } of rows)
    await client.query(
      `SELECT setval(${literal(sequence)}, t.top) FROM (SELECT max(${column}) AS top FROM ${quoted(table)}) AS t
        WHERE t.top > (SELECT last_value FROM ${sequence})`,
    );
}
