import type { Client } from 'pg';
import type { BackupManifest } from '../../../model/index.ts';
import type { SwapState } from '../../../ports/index.ts';
import { type Access, connected, identifier, literal } from './connection.ts';
import { quoted, tablesOf } from './contents.ts';
import { inPlaceName } from './names.ts';

/**
 * Written into the live database before a restore begins. Whether it came to its end the server tells: the restore drops the
 * table `witness` and makes it anew, in its one transaction, so that it has another oid exactly when that was committed.
 */
export interface Mark {
  readonly turn: 'there' | 'back';
  /** What this turn restores. */
  readonly backup: string;
  /** Taken by the run right before, of what it replaced. */
  readonly wayBack: string;
  /** Quoted name; null: the backup has no table. */
  readonly witness: string | null;
  /** Of the witness before; null: there was none. */
  readonly oid: string | null;
  /** Committed, and looked at. */
  readonly proven: boolean;
}

const LEAD = 'backstay in place ';

/** Where a run's restore in place stands, by what is in the live database. */
export async function inPlaceState(access: Access, run: string): Promise<SwapState> {
  return await connected(access, async (client) => {
    const mark = await markIn(client, nameOf(access, run));
    if (mark === undefined) return 'nothing';
    const done = await isCommitted(client, mark);
    if (mark.turn === 'back') return done ? 'undone' : 'swapped';
    return done ? 'swapped' : 'nothing';
  });
}

/** Gives the name of the mark when it was there. Backups stay: they go as all others. */
export async function dropMark(access: Access, run: string): Promise<readonly string[]> {
  const schema = nameOf(access, run);
  return await connected(access, async (client) => {
    if ((await markIn(client, schema)) === undefined) return [];
    await client.query(`DROP SCHEMA ${identifier(schema)}`);
    return [`schema ${schema}`];
  });
}

export function nameOf(access: Access, run: string): string {
  return inPlaceName(access.connection.database, run);
}

export async function markIn(client: Client, schema: string): Promise<Mark | undefined> {
  const { rows } = await client.query<{ said: string | null }>(
    `SELECT obj_description(oid, 'pg_namespace') AS said FROM pg_namespace WHERE nspname = $1`,
    [schema],
  );
  const said = rows[0]?.said ?? '';
  return said.startsWith(LEAD) ? (JSON.parse(said.slice(LEAD.length)) as Mark) : undefined;
}

export async function markFor(
  client: Client,
  wanted: Pick<Mark, 'turn' | 'backup' | 'wayBack'>,
  { rows }: BackupManifest,
): Promise<Mark> {
  // Where one of them is there now its oid will be another; where none is, any of them will appear.
  const live = (await tablesOf(client)).find(({ name }) => rows[name] !== undefined);
  const [first] = Object.keys(rows);
  const witness = live === undefined ? (first === undefined ? null : named(first)) : quoted(live);
  return { ...wanted, witness, oid: await oidOf(client, witness), proven: false };
}

/** `schema.table`, quoted; a dot in a schema's name is none that people use. */
function named(name: string): string {
  const at = name.indexOf('.');
  return `${identifier(name.slice(0, at))}.${identifier(name.slice(at + 1))}`;
}

async function oidOf(client: Client, witness: string | null): Promise<string | null> {
  if (witness === null) return null;
  const { rows } = await client.query<{ oid: string | null }>('SELECT to_regclass($1)::oid::text AS oid', [witness]);
  return rows[0]?.oid ?? null;
}

export async function isCommitted(client: Client, { proven, witness, oid }: Mark): Promise<boolean> {
  if (proven) return true;
  const now = await oidOf(client, witness);
  return now !== null && now !== oid;
}

export async function writeMark(client: Client, schema: string, mark: Mark): Promise<Mark> {
  await client.query('BEGIN');
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${identifier(schema)}`);
  await client.query(`COMMENT ON SCHEMA ${identifier(schema)} IS ${literal(LEAD + JSON.stringify(mark))}`);
  await client.query('COMMIT');
  return mark;
}
