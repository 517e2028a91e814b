import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BackstayError } from '../../../errors/index.ts';
import type { PostgresConnection } from '../../../model/index.ts';
import type { Access } from './connection.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** An access with what its service says, where the stack file names one; what the stack file says itself wins. */
export async function withService(access: Access, env: Variables): Promise<Access> {
  const { connection } = access;
  if (connection.service === undefined) return access;
  const said = await readService(connection.service, env);
  const { password } = said;
  return {
    ...access,
    connection: { ...connectionOf(said), ...connection },
    password: access.password ?? password,
  };
}

/**
 * One section of the connection service file, as libpq finds it: `$PGSERVICEFILE`, `~/.pg_service.conf`, then
 * `$PGSYSCONFDIR/pg_service.conf`. @throws STORE_UNREACHABLE when no file has it
 */
async function readService(name: string, env: Variables): Promise<Readonly<Record<string, string>>> {
  const { PGSERVICEFILE: own = join(env['HOME'] ?? homedir(), '.pg_service.conf'), PGSYSCONFDIR: shared } = env;
  const files = [own, ...(shared === undefined ? [] : [join(shared, 'pg_service.conf')])];
  for (const file of files) {
    const found = sectionOf(await readFile(file, 'utf8').catch(() => ''), name);
    if (found !== undefined) return found;
  }
  throw new BackstayError('STORE_UNREACHABLE', `there is no service ${name} in ${files.join(' or ')}`, {
    next: 'Correct the service in the stack file, or name its file with PGSERVICEFILE.',
  });
}

/** `[name]`, then `key=value` a line; `#` begins a comment. */
export function sectionOf(text: string, name: string): Readonly<Record<string, string>> | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  const start = lines.indexOf(`[${name}]`);
  if (start < 0) return undefined;
  const after = lines.slice(start + 1);
  const end = after.findIndex((line) => line.startsWith('['));
  const pairs = (end < 0 ? after : after.slice(0, end)).flatMap((line): [string, string][] => {
    const at = line.indexOf('=');
    return at < 0 || line.startsWith('#') ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()]];
  });
  return Object.fromEntries(pairs);
}

function connectionOf(said: Readonly<Record<string, string>>): Partial<PostgresConnection> {
  const { host, port, user, sslmode, sslrootcert } = said;
  return {
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(user === undefined ? {} : { user }),
    ...(isMode(sslmode) ? { sslmode } : {}),
    ...(sslrootcert === undefined ? {} : { sslrootcert }),
  };
}

const MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

function isMode(given: string | undefined): given is (typeof MODES)[number] {
  return MODES.some((mode) => mode === given);
}
