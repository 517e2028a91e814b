import type { Client } from 'pg';
import { BackstayError } from '../../../errors/index.ts';
import {
  type Digest,
  doesAddUp,
  insertionOrder,
  type Merged,
  type MergedTable,
  type MergeReport,
  type TableMerge,
} from '../../../model/index.ts';
import { identifier, literal } from '../store/connection.ts';
import { countOf, quoted } from '../store/contents.ts';
import { compare, type CompareOptions, type Listener } from './compare.ts';
import { type ForeignKey, foreignKeys, type TypedTable, typedTables, valuesOf, writeValues } from './tables.ts';

export interface KeepRequest extends CompareOptions {
  readonly run: string;
  /** Digest of the report that was agreed to. */
  readonly report: Digest;
}

/** Rows that are fetched by their keys at once. */
const BATCH = 500;

/** Where the rows of a run lie that were set aside. Its name keeps it out of what is counted and compared. */
export function quarantineOf(run: string): string {
  return `quarantine__bs_${run.replaceAll('-', '')}`.slice(0, 63);
}

/**
 * Takes the new rows of the live data over into what was restored beside it, in the transaction of `beside`: all of them, or
 * nothing. Live rows that changed, and new ones that do not fit (a unique value that is taken, a parent that was set aside),
 * go into quarantine. Sequences go on from where the live ones are. Done by an earlier attempt, it is told again.
 * @throws PLAN_STALE when the rows are not those of the report, STORE_REFUSED, STORE_FAILED when sums do not add up
 */
export async function keepNewRows(live: Client, beside: Client, request: KeepRequest): Promise<Merged> {
  const schema = quarantineOf(request.run);
  const earlier = await markIn(beside, schema);
  if (earlier !== undefined) return { ...earlier, message: `taken over by an earlier attempt: ${earlier.message}` };
  await beside.query(`CREATE SCHEMA ${identifier(schema)}`);
  const taken = new Taken(live, beside, schema);
  const found = await compare(live, beside, { ...request, listener: taken });
  requireSame(found, request.report);
  const keys = await foreignKeys(beside);
  const growing = found.tables.filter(({ fresh }) => fresh > 0).map(({ table }) => table);
  const { tables: order } = insertionOrder(growing, keys);
  const kept = new Map<string, number>();
  for (const name of order) kept.set(name, await taken.insert(name, keys));
  await raiseSequences(live, beside);
  const typed = await typedTables(beside);
  const tables: MergedTable[] = [];
  for (const table of found.tables) tables.push(await accounted(table, kept.get(table.table) ?? 0, typed, taken));
  const sum = (of: 'kept' | 'quarantined'): number => tables.reduce((total, one) => total + one[of], 0);
  const merged: Merged = {
    tables,
    quarantine: schema,
    message: `${sum('kept')} new rows kept, ${sum('quarantined')} set aside in schema ${schema}; every row accounted for`,
  };
  await beside.query(`COMMENT ON SCHEMA ${identifier(schema)} IS ${literal(LEAD + JSON.stringify(merged))}`);
  return merged;
}

const LEAD = 'backstay: ';

/** What an earlier attempt wrote in the transaction that made it true. */
async function markIn(beside: Client, schema: string): Promise<Merged | undefined> {
  const { rows } = await beside.query<{ mark: string | null }>(
    `SELECT obj_description(oid, 'pg_namespace') AS mark FROM pg_namespace WHERE nspname = $1`,
    [schema],
  );
  const mark = rows[0]?.mark;
  return mark?.startsWith(LEAD) === true ? (JSON.parse(mark.slice(LEAD.length)) as Merged) : undefined;
}

function requireSame(found: MergeReport, agreed: Digest): void {
  if (found.digest !== agreed)
    throw new BackstayError('PLAN_STALE', 'live data moved since it was reported which rows would be kept', {
      next: 'Stop what writes to it (`writers` of the store in the stack file), then plan again.',
      details: { agreed, found: found.digest, tables: found.tables },
    });
  if (found.refused.length > 0)
    throw new BackstayError('STORE_REFUSED', `new rows cannot be kept: ${found.refused.join('; ')}`);
}

async function accounted(
  { table, backup, live, same, changed }: TableMerge,
  kept: number,
  typed: ReadonlyMap<string, TypedTable>,
  taken: Taken,
): Promise<MergedTable> {
  const own = typed.get(table);
  if (own === undefined) throw new TypeError(`${table} is gone`);
  const now = await countOf(taken.beside, own);
  const merged = { table, backup, live, same, changed, kept, quarantined: await taken.setAside(table), now };
  if (doesAddUp(merged)) return merged;
  throw new BackstayError('STORE_FAILED', `the rows of ${table} do not add up; nothing was taken over`, {
    details: { ...merged },
  });
}

/** The rows on their way: new ones in a temporary table each, others in quarantine. */
class Taken implements Listener {
  readonly #live: Client;
  readonly beside: Client;
  readonly #schema: string;
  readonly #tables = new Map<string, { readonly table: TypedTable; readonly place: string; readonly aside: string }>();
  #waiting: Record<'fresh' | 'changed', (readonly string[])[]> = { fresh: [], changed: [] };

  constructor(live: Client, beside: Client, schema: string) {
    this.#live = live;
    this.beside = beside;
    this.#schema = schema;
  }

  async begin(table: TypedTable): Promise<void> {
    const number = this.#tables.size;
    const place = `pg_temp.backstay_fresh_${number}`;
    // Numbered, for names of tables may be as long as names can be; its comment says which it is.
    const aside = `${identifier(this.#schema)}.${identifier(`${number}_${table.table}`.slice(0, 40))}`;
    this.#tables.set(table.name, { table, place, aside });
    const columns = table.written.map(identifier).join(', ');
    await this.beside.query(
      `CREATE TEMPORARY TABLE backstay_fresh_${number} ON COMMIT DROP AS SELECT ${columns} FROM ${quoted(table)} WITH NO DATA`,
    );
    await this.beside.query(
      `CREATE TABLE ${aside} AS SELECT ''::text AS backstay_why, ${columns} FROM ${quoted(table)} WITH NO DATA`,
    );
    await this.beside.query(`COMMENT ON TABLE ${aside} IS ${literal(`rows of ${table.name} that were set aside`)}`);
  }

  async row(table: TypedTable, kind: 'fresh' | 'changed', key: readonly string[]): Promise<void> {
    this.#waiting[kind].push(key);
    if (this.#waiting[kind].length >= BATCH) await this.#flush(table, kind);
  }

  async end(table: TypedTable): Promise<void> {
    for (const kind of ['fresh', 'changed'] as const) await this.#flush(table, kind);
    const { aside } = this.#at(table.name);
    if ((await this.setAside(table.name)) === 0 && !(await this.#hasFresh(table.name)))
      await this.beside.query(`DROP TABLE ${aside}`);
  }

  async #flush(table: TypedTable, kind: 'fresh' | 'changed'): Promise<void> {
    const keys = this.#waiting[kind];
    this.#waiting = { ...this.#waiting, [kind]: [] };
    if (keys.length === 0) return;
    const { place, aside } = this.#at(table.name);
    const rows = await valuesOf(this.#live, table, keys);
    if (kind === 'fresh') await writeValues(this.beside, place, table, rows);
    else await writeValues(this.beside, aside, table, rows, 'changed since the backup');
  }

  /** Takes the new rows of one table over. Gives how many fitted. */
  async insert(name: string, keys: readonly ForeignKey[]): Promise<number> {
    const { table, place, aside } = this.#at(name);
    const columns = table.written.map(identifier).join(', ');
    await this.#leaveOrphans(
      name,
      keys.filter(({ from }) => from === name),
    );
    const asleep = await this.#quiet(table);
    const { rowCount } = await this.beside.query(
      `INSERT INTO ${quoted(table)} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM ${place} ON CONFLICT DO NOTHING`,
    );
    for (const wake of asleep) await this.beside.query(wake);
    const same = table.key.map((column) => `t.${identifier(column)} = f.${identifier(column)}`).join(' AND ');
    await this.beside.query(
      `INSERT INTO ${aside} SELECT 'a unique value of it is taken', f.* FROM ${place} AS f
        WHERE NOT EXISTS (SELECT FROM ${quoted(table)} AS t WHERE ${same})`,
    );
    return rowCount ?? 0;
  }

  /** What refers to a row that was set aside is set aside as well; among rows of one table, again and again. */
  async #leaveOrphans(name: string, keys: readonly ForeignKey[]): Promise<void> {
    const { place, aside } = this.#at(name);
    for (let moved = 1; moved > 0; ) {
      moved = 0;
      for (const { name: constraint, to, columns, references } of keys) {
        const given = columns.map((column) => `f.${identifier(column)} IS NOT NULL`);
        const parent = (of: string): string =>
          `EXISTS (SELECT FROM ${of} AS p WHERE ${columns.map((column, at) => `p.${identifier(references[at] ?? column)} = f.${identifier(column)}`).join(' AND ')})`;
        const [schema = '', ...rest] = to.split('.');
        const places = [quoted({ schema, table: rest.join('.') }), ...(to === name ? [place] : [])];
        const { rowCount } = await this.beside.query(
          `WITH gone AS (DELETE FROM ${place} AS f WHERE ${[...given, ...places.map((of) => `NOT ${parent(of)}`)].join(' AND ')} RETURNING f.*)
           INSERT INTO ${aside} SELECT ${literal(`refers to a row that was set aside (${constraint})`)}, gone.* FROM gone`,
        );
        moved += rowCount ?? 0;
      }
    }
  }

  /** What a trigger would do was done when the rows were written first. Gives the statements that wake them again. */
  async #quiet(table: TypedTable): Promise<readonly string[]> {
    const { rows } = await this.beside.query<{ name: string; mode: string }>(
      `SELECT tgname AS name, tgenabled AS mode FROM pg_trigger
        WHERE tgrelid = $1::regclass AND NOT tgisinternal AND tgenabled <> 'D'`,
      [quoted(table)],
    );
    const modes: Readonly<Record<string, string>> = { O: 'ENABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' };
    for (const { name } of rows)
      await this.beside.query(`ALTER TABLE ${quoted(table)} DISABLE TRIGGER ${identifier(name)}`);
    return rows.map(
      ({ name, mode }) => `ALTER TABLE ${quoted(table)} ${modes[mode] ?? 'ENABLE'} TRIGGER ${identifier(name)}`,
    );
  }

  /** Rows of a table in quarantine. */
  async setAside(name: string): Promise<number> {
    const found = this.#tables.get(name);
    if (found === undefined) return 0;
    const { rows: there } = await this.beside.query<{ is: boolean }>('SELECT to_regclass($1) IS NOT NULL AS is', [
      found.aside,
    ]);
    if (there[0]?.is !== true) return 0;
    const { rows } = await this.beside.query<{ n: string }>(`SELECT count(*)::text AS n FROM ${found.aside}`);
    return Number(rows[0]?.n);
  }

  async #hasFresh(name: string): Promise<boolean> {
    const { rows } = await this.beside.query<{ is: boolean }>(
      `SELECT EXISTS (SELECT FROM ${this.#at(name).place}) AS is`,
    );
    return rows[0]?.is === true;
  }

  #at(name: string): { readonly table: TypedTable; readonly place: string; readonly aside: string } {
    const found = this.#tables.get(name);
    if (found === undefined) throw new TypeError(`${name} was not gone through`);
    return found;
  }
}

/** The next number is one that neither side has given out. */
async function raiseSequences(live: Client, beside: Client): Promise<void> {
  const statement = `SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename) AS name, last_value::text AS last, increment_by > 0 AS up
       FROM pg_sequences WHERE schemaname NOT LIKE 'pg\\_%'`;
  interface Row {
    readonly name: string;
    readonly last: string | null;
    readonly up: boolean;
  }
  const [now, then] = [await live.query<Row>(statement), await beside.query<Row>(statement)];
  const former = new Map(then.rows.map((row) => [row.name, row]));
  for (const { name, last, up } of now.rows) {
    const own = former.get(name);
    if (own === undefined || last === null) continue;
    const further = own.last === null || (up ? BigInt(last) > BigInt(own.last) : BigInt(last) < BigInt(own.last));
    if (further) await beside.query('SELECT setval($1::regclass, $2::bigint, true)', [name, last]);
  }
}
