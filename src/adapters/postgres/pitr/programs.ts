import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { BackstayError } from '../../../errors/index.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** Who a program runs as; absent: who we are. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const DEBIAN = '/usr/lib/postgresql';
const NEEDED = ['postgres', 'pg_controldata', 'pg_waldump'] as const;

/**
 * Folder of the server's own programs. Of exactly this major version, for no other one can read its files.
 * @throws TOOL_MISSING
 */
export async function findServerPrograms(major: number, env: Variables): Promise<string> {
  const named = env['BACKSTAY_PG_BIN'];
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin')) : [];
  const folders = named === undefined ? [...debian, ...(env['PATH'] ?? '').split(delimiter)] : [named];
  for (const bin of new Set(folders.filter((one) => NEEDED.every((name) => existsSync(join(one, name)))))) {
    const { lines } = await capture(join(bin, 'postgres'), ['--version'], {});
    if (Number(/ (\d+)/.exec(lines[0] ?? '')?.[1]) === major) return bin;
  }
  throw new BackstayError(
    'TOOL_MISSING',
    `A copy of a PostgreSQL ${major} cluster needs the server programs of PostgreSQL ${major} (${NEEDED.join(', ')}).`,
    {
      next: `Install the PostgreSQL ${major} server, or name the folder of its programs with BACKSTAY_PG_BIN.`,
      details: { major },
    },
  );
}

/**
 * PostgreSQL never runs as root. Who owns the archive can read it, and so is asked first; then `postgres`, then `nobody`.
 * Absent: we are not root, and stay who we are.
 */
export async function accountFor(archive: string | undefined, uid = process.getuid?.()): Promise<Account | undefined> {
  if (uid !== 0) return undefined;
  const owner = archive === undefined ? undefined : await stat(archive).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const people = existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8').split('\n') : [];
  for (const wanted of ['postgres', 'nobody']) {
    const [, , id, group] = people.map((line) => line.split(':')).find(([name]) => name === wanted) ?? [];
    if (Number(id) > 0 && group !== undefined) return { uid: Number(id), gid: Number(group) };
  }
  return { uid: 65_534, gid: 65_534 };
}

export interface Captured {
  readonly code: number | null;
  readonly lines: readonly string[];
  /** End of what it wrote to stderr. */
  readonly said: string;
}

export interface CaptureOptions {
  readonly account?: Account;
  readonly cwd?: string;
  /** Added to a small environment in which everything is told in English and UTC. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Lines that are kept. @default all */
  readonly keep?: (line: string) => boolean;
}

const KEPT = 4_000;

/** Runs a program to its end and gives the lines that it wrote. An exit code other than 0 is the caller's to judge. */
export async function capture(file: string, args: readonly string[], options: CaptureOptions): Promise<Captured> {
  const { account, cwd, env, signal, keep = () => true } = options;
  signal?.throwIfAborted();
  const child = spawn(file, [...args], {
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...account,
    ...(cwd === undefined ? {} : { cwd }),
    ...(signal === undefined ? {} : { signal }),
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-KEPT)));
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      said ||= error.message;
      resolve(null);
    });
    child.once('close', resolve);
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) if (keep(line)) lines.push(line);
  const code = await ended;
  signal?.throwIfAborted();
  return { code, lines, said: said.trim() };
}

/** As `capture`. @throws RECOVERY_FAILED when it fails */
export async function succeed(file: string, args: readonly string[], options: CaptureOptions): Promise<Captured> {
  const done = await capture(file, args, options);
  if (done.code === 0) return done;
  const tool = file.split('/').at(-1) ?? file;
  const why = done.said.split('\n').slice(-3).join('; ') || `exit code ${done.code ?? 'none'}`;
  throw new BackstayError('RECOVERY_FAILED', `${tool}: ${why}`, { details: { tool: file, exitCode: done.code } });
}

/** One word of a shell's line. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
