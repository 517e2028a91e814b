import type { Client } from 'pg';
import { BackstayError } from '../../../errors/index.ts';
import type { DatabaseState } from '../../../model/index.ts';
import { identifier, literal } from './connection.ts';

export interface ServerFacts {
  /** `15.18`. */
  readonly version: string;
  readonly major: number;
  readonly systemIdentifier: string;
}

export async function serverFacts(client: Client): Promise<ServerFacts> {
  const { rows } = await client.query<{ number: number; version: string; id: string }>(
    `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
            (SELECT system_identifier::text FROM pg_control_system()) AS id`,
  );
  const [row] = rows;
  if (row === undefined) throw new TypeError('a server without a version');
  return {
    version: row.version.split(' ')[0] ?? row.version,
    major: Math.trunc(row.number / 10_000),
    systemIdentifier: row.id,
  };
}

/** Every table of users, `schema.table`, with its exact number of rows: as the transaction sees it. */
export async function countRows(client: Client): Promise<Readonly<Record<string, number>>> {
  const { rows: tables } = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT LIKE '%\\_\\_bs\\_%'
      ORDER BY 1, 2`,
  );
  const counts: Record<string, number> = {};
  for (const { schema, name } of tables) {
    const { rows } = await client.query<{ count: string }>(
      `SELECT count(*)::text AS count FROM ${identifier(schema)}.${identifier(name)}`,
    );
    counts[`${schema}.${name}`] = Number(rows[0]?.count);
  }
  return counts;
}

/** @throws STORE_FAILED when there is no database of that name. */
export async function databaseState(client: Client, database: string): Promise<DatabaseState> {
  const { rows } = await client.query<DatabaseState & { oid: string }>(
    `SELECT d.oid::text, pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding,
            d.datcollate AS collate, d.datctype AS ctype, shobj_description(d.oid, 'pg_database') AS comment,
            d.datconnlimit AS "connectionLimit", d.datacl::text[] AS acl
       FROM pg_database d WHERE d.datname = $1`,
    [database],
  );
  const [found] = rows;
  if (found === undefined) throw new BackstayError('STORE_FAILED', `there is no database ${database}`);
  const { oid, ...state } = found;
  const { rows: settings } = await client.query<{ role: string | null; values: string[] }>(
    `SELECT CASE setrole WHEN 0 THEN NULL ELSE pg_get_userbyid(setrole) END AS role, setconfig AS values
       FROM pg_db_role_setting WHERE setdatabase = $1 ORDER BY 1 NULLS FIRST`,
    [oid],
  );
  return { ...state, settings };
}

/** Gives a fresh database what a dump of another one does not carry. Owner, encoding and locale are given at its making. */
export async function carryState(client: Client, database: string, state: DatabaseState): Promise<void> {
  const name = identifier(database);
  await client.query(`COMMENT ON DATABASE ${name} IS ${state.comment === null ? 'NULL' : literal(state.comment)}`);
  await client.query(`ALTER DATABASE ${name} CONNECTION LIMIT ${state.connectionLimit}`);
  for (const { role, values } of state.settings) {
    for (const setting of values) {
      const at = setting.indexOf('=');
      const change = `${settingName(setting.slice(0, at))} = ${settingValue(setting.slice(0, at), setting.slice(at + 1))}`;
      const whose = role === null ? `DATABASE ${name}` : `ROLE ${identifier(role)} IN DATABASE ${name}`;
      await client.query(`ALTER ${whose} SET ${change}`);
    }
  }
  if (state.acl !== null) return await grantAll(client, name, state);
  // The default ones: everybody may connect, which nobody might while it stood beside.
  await client.query(`GRANT CONNECT ON DATABASE ${name} TO PUBLIC`);
}

/** `app.tenant` is two names; each is quoted for itself. */
function settingName(name: string): string {
  return name.split('.').map(identifier).join('.');
}

/** Lists of names (search_path and its like) stay lists: the server quoted their items itself. */
const LISTS = new Set([
  'search_path',
  'local_preload_libraries',
  'session_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

function settingValue(name: string, value: string): string {
  return LISTS.has(name) ? value : literal(value);
}

const PRIVILEGES: Readonly<Record<string, string>> = { C: 'CREATE', T: 'TEMPORARY', c: 'CONNECT' };

async function grantAll(client: Client, name: string, { acl, owner }: DatabaseState): Promise<void> {
  const { rows } = await client.query<{ grantee: string | null; privilege: string; grantable: boolean }>(
    `SELECT CASE grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(grantee) END AS grantee, privilege_type AS privilege,
            is_grantable AS grantable FROM aclexplode($1::aclitem[])`,
    [acl],
  );
  const known = new Set(Object.values(PRIVILEGES));
  await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
  await client.query(`REVOKE ALL ON DATABASE ${name} FROM ${identifier(owner)}`);
  for (const { grantee, privilege, grantable } of rows.filter((row) => known.has(row.privilege))) {
    const to = grantee === null ? 'PUBLIC' : identifier(grantee);
    await client.query(`GRANT ${privilege} ON DATABASE ${name} TO ${to}${grantable ? ' WITH GRANT OPTION' : ''}`);
  }
}
