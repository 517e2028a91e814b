import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { BackstayError } from '../../errors/index.ts';
import type { SqlServerStoreSetting } from '../../model/index.ts';

export interface Access {
  readonly connection: SqlServerStoreSetting['connection'];
  readonly password: string | undefined;
}

/** Parts the columns: no name has it. */
const BETWEEN = '\u001f';
const KEPT = 4_000;
/** What our own statements throw when another run has taken the database over. */
export const FENCED = 51_001;

export type Rows = readonly (readonly string[])[];
/** Carries out one batch in `master`. */
export type Ask = (sql: string, signal?: AbortSignal) => Promise<Rows>;

/** `$BACKSTAY_SQLCMD`, PATH, where Microsoft's packages put it. @throws TOOL_MISSING */
export function findSqlcmd(env: Readonly<Record<string, string | undefined>>): string {
  const named = env['BACKSTAY_SQLCMD'];
  if (named !== undefined && named !== '') return named;
  const packaged = existsSync('/opt') ? readdirSync('/opt').filter((name) => name.startsWith('mssql-tools')) : [];
  const folders = [
    ...(env['PATH'] ?? '').split(delimiter),
    ...packaged
      .sort()
      .toReversed()
      .map((name) => join('/opt', name, 'bin')),
  ];
  const found = folders.map((folder) => join(folder, 'sqlcmd')).find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new BackstayError('TOOL_MISSING', 'A SQL Server database is spoken to by sqlcmd, which is not here.', {
    next: "Install Microsoft's sqlcmd, or name it with BACKSTAY_SQLCMD.",
  });
}

/**
 * `sqlcmd` for one server. The password goes in its environment; statements are not secret. `-b` makes an error an exit
 * code, `-x` keeps `$(name)` in data from being read as a variable.
 */
export function sqlcmd(program: string, access: Access): Ask {
  const { connection, password } = access;
  return async (sql, signal) => {
    signal?.throwIfAborted();
    const child = spawn(program, [...argumentsFor(connection), '-Q', `SET NOCOUNT ON; ${sql}`], {
      env: {
        PATH: '/usr/bin:/bin',
        LC_ALL: 'C.UTF-8',
        ...(password === undefined ? {} : { SQLCMDPASSWORD: password }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(signal === undefined ? {} : { signal }),
    });
    const output: Buffer[] = [];
    let words = '';
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-KEPT)));
    const code = await new Promise<number | null>((resolve) => {
      child.once('error', (error) => {
        words += error.message;
        resolve(null);
      });
      child.once('close', resolve);
    });
    signal?.throwIfAborted();
    // Necessary and not sufficient: what was said at the level of an error is one.
    if (code !== 0 || /^Msg \d+, Level 1[1-9]/m.test(words)) throw errorOf(connection, code, words);
    return rowsOf(Buffer.concat(output).toString('utf8'));
  };
}

/** Everything but the password. */
export function argumentsFor({ host, port, user }: Access['connection']): readonly string[] {
  const server = `${host ?? '127.0.0.1'}${port === undefined ? '' : `,${port}`}`;
  const who = user === undefined ? ['-E'] : ['-U', user];
  return [
    '-S',
    server,
    ...who,
    '-d',
    'master',
    '-b',
    '-x',
    '-r',
    '1',
    '-l',
    '10',
    '-h',
    '-1',
    '-W',
    '-w',
    '65535',
    '-s',
    BETWEEN,
  ];
}

/** Says which server, and never the password. */
export function describeConnection({ host, port, user, via, database }: Access['connection']): string {
  const who = user === undefined ? '' : `${user}@`;
  if (via !== undefined) return `${who}service/${via.service}:${via.port}/${database}`;
  return `${who}${host ?? '127.0.0.1'}${port === undefined ? '' : `,${port}`}/${database}`;
}

function rowsOf(text: string): Rows {
  return text
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .map((line) => line.split(BETWEEN).map((value) => (value === 'NULL' ? '' : value)));
}

function errorOf(connection: Access['connection'], code: number | null, words: string): BackstayError {
  const server = describeConnection(connection);
  const message = `${server}: ${words.trim().split('\n').slice(-4).join('; ') || `sqlcmd ended with ${code ?? 'a signal'}`}`;
  const details = { server, exitCode: code };
  if (words.includes(`Msg ${FENCED},`)) return new BackstayError('STORE_FENCED', message, { details });
  if (/Login failed|Login timeout|network-related|TCP Provider/i.test(words))
    return new BackstayError('STORE_UNREACHABLE', message, {
      ...(words.includes('Login failed')
        ? { next: 'Look at the user and at the password that the stack file names.' }
        : {}),
      details,
    });
  return new BackstayError('STORE_FAILED', message, { details });
}

/** `[name]`. */
export function identifier(name: string): string {
  return `[${name.replaceAll(']', ']]')}]`;
}

/** `N'text'`. */
export function literal(text: string): string {
  return `N'${text.replaceAll("'", "''")}'`;
}
