import { createHash, randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A stand-in for Microsoft's sqlcmd and the server behind it: takes the arguments and the environment of the real one,
 * ends with its exit codes, and keeps its databases in `state.json` beside itself. It knows the statements that the
 * adapter uses and refuses every other. What a real server makes of them, it cannot tell.
 */
interface Database {
  tables: Record<string, readonly string[]>;
  properties: Record<string, string>;
  state: 'ONLINE' | 'RESTORING';
  columns: readonly string[];
}
interface State {
  password: string;
  databases: Record<string, Database>;
  /** Fails the next statement that contains this text, as a server would that is ended in the middle: once. */
  failAt?: string;
  obstacle?: boolean;
  sessions: readonly string[];
}

const home = import.meta.dirname;
const file = join(home, 'state.json');
const args = process.argv.slice(2);
const valueOf = (flag: string): string => args[args.indexOf(flag) + 1] ?? '';
const state = JSON.parse(readFileSync(file, 'utf8')) as State;
const rows: (readonly (string | number)[])[] = [];

class Refusal extends Error {
  readonly number: number;
  constructor(number: number, message: string) {
    super(message);
    this.number = number;
  }
}

appendFileSync(join(home, 'calls.log'), `${JSON.stringify(args)}\n`);
try {
  for (const flag of ['-S', '-U', '-b', '-x', '-Q', '-d']) if (!args.includes(flag)) throw new Refusal(1, `no ${flag}`);
  if (process.env['SQLCMDPASSWORD'] !== state.password) {
    process.stderr.write(`Sqlcmd: Error: Login failed for user '${valueOf('-U')}'.\n`);
    process.exit(1);
  }
  const sql = valueOf('-Q').replace(/^SET NOCOUNT ON; /, '');
  if (state.failAt !== undefined && sql.includes(state.failAt)) {
    delete state.failAt;
    save();
    throw new Refusal(596, 'Cannot continue the execution because the session is in the kill state.');
  }
  carryOut(sql);
  save();
  process.stdout.write(rows.map((row) => `${row.join(valueOf('-s'))}\n`).join(''));
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  process.stderr.write(`Msg ${error.number}, Level 16, State 1, Server fake, Line 1\n${error.message}\n`);
  process.exit(1);
}

function save(): void {
  writeFileSync(`${file}.new`, JSON.stringify(state));
  renameSync(`${file}.new`, file);
}

function at(name: string): Database {
  const database = state.databases[name];
  if (database === undefined) throw new Refusal(911, `Database '${name}' does not exist.`);
  if (database.state !== 'ONLINE')
    throw new Refusal(927, `Database '${name}' cannot be opened. It is in the middle of a restore.`);
  return database;
}

function carryOut(sql: string): void {
  const name = /\[((?:[^\]]|\]\])*)\]/.exec(sql)?.[1]?.replaceAll(']]', ']') ?? '';
  const texts = [...sql.matchAll(/N'((?:[^']|'')*)'/g)].map(([, text = '']) => text.replaceAll("''", "'"));
  const [path = ''] = texts;
  if (sql === 'SELECT name FROM sys.databases') rows.push(...Object.keys(state.databases).map((one) => [one]));
  else if (sql.startsWith('SELECT state_desc')) {
    const found = state.databases[path];
    if (found !== undefined) rows.push([found.state]);
  } else if (sql.includes('InstanceDefaultBackupPath')) rows.push([home]);
  else if (sql.includes('InstanceDefaultDataPath')) rows.push([home, home]);
  else if (sql.includes('HAS_PERMS_BY_NAME')) rows.push(['16.0.4000.1', state.obstacle === true ? 0 : 1, 0]);
  else if (sql.includes('sys.master_files')) rows.push(['16.0.4000.1', 8_388_608]);
  else if (sql.includes("'ServerName'")) rows.push(['16.0.4000.1', 'fake']);
  else if (sql.includes('dm_exec_sessions')) rows.push(...state.sessions.map((one) => [one, 'ada', '10.0.0.9']));
  else if (sql.startsWith('BACKUP DATABASE')) {
    if (!/WITH COPY_ONLY, CHECKSUM/.test(sql)) throw new Refusal(102, 'a backup without COPY_ONLY, CHECKSUM');
    const { tables, columns } = at(name);
    const body = JSON.stringify({ id: randomUUID(), of: name, tables, columns });
    writeFileSync(path, `${sumOf(body)} ${body}`, { mode: 0o600 });
  } else if (sql.startsWith('RESTORE VERIFYONLY')) {
    if (!sql.includes('WITH CHECKSUM')) throw new Refusal(102, 'VERIFYONLY without CHECKSUM');
    read(path);
  } else if (sql.startsWith('RESTORE HEADERONLY')) {
    const fields = Array.from({ length: 54 }, () => 'NULL');
    fields[12] = String(readFileSync(path).length);
    fields[50] = read(path).id;
    rows.push(fields);
  } else if (sql.startsWith('RESTORE FILELISTONLY')) {
    read(path);
    rows.push(['app', 'C:\\app.mdf', 'D'], ['app_log', 'C:\\app.ldf', 'L']);
  } else if (sql.startsWith('RESTORE DATABASE')) {
    if (state.databases[name] !== undefined) throw new Refusal(3159, 'The tail of the log has not been backed up.');
    if (texts.filter((text) => text.startsWith(home)).length < 3)
      throw new Refusal(1834, 'The file cannot be overwritten.');
    const { tables, columns } = read(path);
    state.databases[name] = { tables, columns, properties: {}, state: 'ONLINE' };
  } else if (sql.startsWith('DBCC CHECKDB')) at(path);
  else if (sql.startsWith('SELECT CAST(value AS')) {
    const value = at(name).properties[path];
    if (value !== undefined) rows.push([value]);
  } else if (sql.includes('sp_addextendedproperty')) at(name).properties[texts.at(-2) ?? ''] = texts.at(-1) ?? '';
  else if (sql.includes('MODIFY NAME')) rename(sql, texts);
  else if (sql.endsWith('SET SINGLE_USER WITH ROLLBACK IMMEDIATE')) at(name);
  else if (sql.startsWith('DROP DATABASE')) delete state.databases[name];
  else if (sql.startsWith('SELECT s.name, t.name FROM')) {
    rows.push(...Object.keys(at(name).tables).map((table) => ['dbo', table]));
  } else if (sql.includes('CHECKSUM_AGG(BINARY_CHECKSUM(*))')) {
    rows.push(...texts.map((text) => [text, sumOf(String(at(name).tables[text.replace('dbo.', '')]))]));
  } else if (sql.startsWith("SELECT N'") && sql.includes('COUNT_BIG(*)')) {
    rows.push(...texts.map((text) => [text, at(name).tables[text.replace('dbo.', '')]?.length ?? 0]));
  } else if (sql.startsWith('SELECT s.name, t.name, c.name')) {
    const { tables, columns } = at(name);
    const all = Object.keys(tables).flatMap((table) =>
      columns.map((column) => ['dbo', table, column, 'nvarchar', 200, 0]),
    );
    rows.push(...all);
  } else if (sql.startsWith('SELECT COUNT_BIG(*)')) {
    const [, , table = ''] = [...sql.matchAll(/\[([^\]]*)\]/g)].slice(-3).map(([, one]) => one);
    const count = at([...sql.matchAll(/\[([^\]]*)\]/g)].at(-3)?.[1] ?? '').tables[table]?.length ?? 0;
    rows.push([count, ...[...sql.matchAll(/COUNT_BIG\(\[/g)].map(() => count)]);
  } else throw new Refusal(102, `Incorrect syntax near '${sql.slice(0, 80)}'.`);
}

function rename(sql: string, texts: readonly string[]): void {
  const [holder = '', from = '', , , to = ''] = [...sql.matchAll(/\[([^\]]*)\]/g)].map(([, one]) => one);
  const run = texts.at(-2) ?? '';
  if (at(holder).properties[texts[0] ?? ''] !== run)
    throw new Refusal(51_001, 'backstay: another run has taken the database over');
  if (
    !/SINGLE_USER WITH ROLLBACK IMMEDIATE;.*MODIFY NAME.*SET MULTI_USER; END TRY BEGIN CATCH.*MULTI_USER; THROW/.test(
      sql,
    )
  )
    throw new Refusal(102, 'a rename that may leave the database closed');
  if (state.databases[to] !== undefined) throw new Refusal(1801, `Database '${to}' already exists.`);
  state.databases[to] = at(from);
  delete state.databases[from];
}

function read(path: string): { readonly id: string } & Pick<Database, 'tables' | 'columns'> {
  if (!existsSync(path)) throw new Refusal(3201, `Cannot open backup device '${path}'.`);
  const text = readFileSync(path, 'utf8');
  const [sum, body] = [text.slice(0, 64), text.slice(65)];
  if (sumOf(body) !== sum) throw new Refusal(3189, `Damage to the backup set was detected in '${path}'.`);
  return JSON.parse(body) as ReturnType<typeof read>;
}

function sumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
