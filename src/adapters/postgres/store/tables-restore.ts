import { join } from 'node:path';
import type { Client } from 'pg';
import { BackstayError } from '../../../errors/index.ts';
import type { BackupManifest } from '../../../model/index.ts';
import type { RestoredBeside } from '../../../ports/index.ts';
import { type Access, connected, identifier, toolEnvironment } from './connection.ts';
import { contentsOf, countOf, pinSession, quoted, type Table, tablesOf } from './contents.ts';
import { copyLines } from './copy-lines.ts';
import { assertDigests } from './files.ts';
import type { RestoreRequest } from './restore.ts';
import { toolOutput } from './stream-tool.ts';
import { dropSchema, markIn, schemaOf, setMark, slotOf, slotTable } from './tables-beside.ts';
import { chosenTables } from './tables-chosen.ts';
import { type ClientTools, runTool } from './tools.ts';

export interface TablesRequest extends Omit<RestoreRequest, 'jobs'> {
  readonly tables: readonly string[];
}

/**
 * Restores the rows of single tables into a schema beside, in the live database, and proves them. Only rows are taken from the
 * backup, nothing else of it is done; the tables as they are now say what they look like.
 * @throws STORE_REFUSED, STORE_FAILED, BACKUP_DAMAGED when counts or contents are not those of the backup's moment
 */
export async function restoreTablesBeside(
  { backup, run, tables: wanted, now, signal }: TablesRequest,
  access: Access,
  tools: ClientTools,
): Promise<RestoredBeside> {
  const began = performance.now();
  const { manifest } = backup;
  const schema = schemaOf(access, run);
  const mark = await connected(access, async (client) => await markIn(client, schema));
  if (mark !== undefined && mark.state !== 'before')
    throw new BackstayError('STORE_FAILED', `run ${run} has exchanged its tables already`);
  const tables = await connected(access, async (client) => chosenTables(await tablesOf(client), wanted));
  const absent = tables.find(({ name }) => manifest.rows[name] === undefined);
  if (absent !== undefined)
    throw new BackstayError('STORE_REFUSED', `backup ${manifest.id} has no table ${absent.name}`);
  await assertDigests(backup, signal);
  const names = tables.map(({ name }) => name);
  const rows = Object.fromEntries(names.map((name) => [name, manifest.rows[name] ?? 0]));
  const done = (message: string): RestoredBeside => ({
    backup,
    database: access.connection.database,
    rows,
    proof: { proof: 'restored', at: now(), durationMs: Math.round(performance.now() - began), message },
  });
  if (mark !== undefined && mark.digest === manifest.file.digest && mark.tables.join() === names.join())
    return done(`${names.join(', ')}: restored into schema ${schema} before`);
  try {
    await connected(access, async (client) => {
      await client.query(`DROP SCHEMA IF EXISTS ${identifier(schema)} CASCADE`);
      await client.query(`CREATE SCHEMA ${identifier(schema)}`);
      // Generated columns come of themselves: a backup does not have them.
      for (const table of tables)
        await client.query(`CREATE TABLE ${slotOf(schema, 'then', table)} (LIKE ${quoted(table)} INCLUDING GENERATED)`);
    });
    const path = join(backup.folder, manifest.file.name);
    for (const table of tables) await load(table, schema, path, access, tools, signal);
    await connected(access, async (client) => {
      await pinSession(client);
      await client.query('BEGIN');
      for (const table of tables) await prove(client, table, schema, manifest);
      signal?.throwIfAborted();
      await setMark(client, schema, {
        state: 'before',
        backup: manifest.id,
        digest: manifest.file.digest,
        tables: names,
      });
      await client.query('COMMIT');
    });
  } catch (error) {
    await dropSchema(access, run).catch(() => undefined);
    throw error;
  }
  const total = Object.values(rows).reduce((sum, count) => sum + count, 0);
  const known = names.every((name) => manifest.contents?.[name] !== undefined) ? 'counts and contents' : 'counts';
  return done(`${names.join(', ')} with ${total} rows in schema ${schema}, ${known} as when it was taken`);
}

async function load(
  table: Table,
  schema: string,
  dump: string,
  access: Access,
  { bin }: ClientTools,
  signal?: AbortSignal,
): Promise<void> {
  const run = { env: toolEnvironment(access), ...(signal === undefined ? {} : { signal }) };
  const only = ['--data-only', '--no-owner', '--schema', table.schema, '--table', table.table, '-f', '-', dump];
  const rows = copyLines(toolOutput(join(bin, 'pg_restore'), only, run), table, slotOf(schema, 'then', table));
  const args = ['--no-psqlrc', '--no-password', '--quiet', '-v', 'ON_ERROR_STOP=1', '-d', access.connection.database];
  await runTool(join(bin, 'psql'), args, { ...run, input: rows });
}

async function prove(client: Client, table: Table, schema: string, manifest: BackupManifest): Promise<void> {
  const beside = { ...table, schema, table: slotTable('then', table.name) };
  const count = await countOf(client, beside);
  const wrong = (what: string): BackstayError =>
    new BackstayError('BACKUP_DAMAGED', `backup ${manifest.id}, ${table.name} restored into ${schema}: ${what}`, {
      details: { backup: manifest.id, tables: [table.name] },
    });
  if (count !== manifest.rows[table.name])
    throw wrong(`${manifest.rows[table.name] ?? 'no table'} rows then, ${count} now`);
  const then = manifest.contents?.[table.name];
  if (then === undefined) return;
  const found = await contentsOf(client, beside, count);
  if (found?.digest !== then.digest) throw wrong('not the contents of then, or the table has other columns now');
}
