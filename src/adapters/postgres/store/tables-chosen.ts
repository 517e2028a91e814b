import type { Client } from 'pg';
import { BackstayError } from '../../../errors/index.ts';
import type { BackupManifest } from '../../../model/index.ts';
import { type Access, connected } from './connection.ts';
import { quoted, type Table, tablesOf } from './contents.ts';

/** The tables that people mean by `documents` or `audit.events`. @throws STORE_REFUSED naming what is there and what is not */
export function chosenTables(there: readonly Table[], wanted: readonly string[]): readonly Table[] {
  const chosen = wanted.map((name) => {
    const found = there.filter((one) => one.name === name || one.table === name);
    const exact = found.find((one) => one.name === name);
    const [only] = exact === undefined ? found : [exact];
    if (only !== undefined && (exact !== undefined || found.length === 1)) return only;
    const what = found.length === 0 ? 'there is none' : `there are ${found.map((one) => one.name).join(', ')}`;
    throw new BackstayError('STORE_REFUSED', `table ${name}: ${what}`, {
      details: { table: name, tables: there.map((one) => one.name) },
    });
  });
  const names = new Set(chosen.map(({ name }) => name));
  return there.filter(({ name }) => names.has(name)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The tables that a restore exchanges: those that were asked for, or all that a backup of single tables has. */
export function wantedTables(manifest: BackupManifest, asked?: readonly string[]): readonly string[] | undefined {
  return asked ?? manifest.tables;
}

/** @throws STORE_REFUSED naming the tables that are more than one */
export async function requirePlain(client: Client, tables: readonly Table[]): Promise<void> {
  const odd = (await refusals(client, tables)).find(({ plain }) => !plain);
  if (odd !== undefined) throw new BackstayError('STORE_REFUSED', inParts(odd.name));
}

const inParts = (name: string): string => `table ${name} has parts of its own: take the whole store`;

interface Refusal {
  readonly name: string;
  readonly plain: boolean;
  readonly owns: boolean;
}

/** What would keep the rows of these tables from being exchanged, in words. */
export async function obstaclesToTables(
  manifest: BackupManifest,
  wanted: readonly string[],
  access: Access,
): Promise<readonly string[]> {
  return await connected(access, async (client) => {
    const tables = chosenTables(await tablesOf(client), wanted);
    const absent = tables.filter(({ name }) => manifest.rows[name] === undefined);
    const { rows: may } = await client.query<{ create: boolean }>(
      `SELECT has_database_privilege(current_database(), 'CREATE') AS create`,
    );
    return [
      ...absent.map(({ name }) => `backup ${manifest.id} has no table ${name}`),
      ...(may[0]?.create === true ? [] : ['the user may not create schemas in this database (CREATE)']),
      ...(await refusals(client, tables)).flatMap(({ name, plain, owns }) => [
        ...(plain ? [] : [inParts(name)]),
        ...(owns ? [] : [`the user does not own table ${name}`]),
      ]),
    ];
  });
}

/** Tables that are more than one, and those of others: also ones that refer to these, for their keys are checked anew. */
async function refusals(client: Client, tables: readonly Table[]): Promise<readonly Refusal[]> {
  const { rows } = await client.query<Refusal>(
    `SELECT n.nspname || '.' || c.relname AS name, pg_has_role(c.relowner, 'USAGE') AS owns,
            c.oid <> ALL($1::regclass[]::oid[]) OR c.relkind = 'r'
              AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid OR inhrelid = c.oid) AS plain
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.oid = ANY($1::regclass[]::oid[])
         OR c.oid IN (SELECT conrelid FROM pg_constraint WHERE contype = 'f' AND confrelid = ANY($1::regclass[]::oid[]))
      ORDER BY 1`,
    [tables.map(quoted)],
  );
  return rows;
}
