import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Writable } from 'node:stream';
import { BackstayError } from '../../../errors/index.ts';

type Variables = Readonly<Record<string, string | undefined>>;

export interface ClientTools {
  /** Folder of pg_dump, pg_restore and psql. */
  readonly bin: string;
  /** `15.18`. */
  readonly version: string;
  readonly major: number;
}

const DEBIAN = '/usr/lib/postgresql';

/** Their folder. @throws TOOL_MISSING */
export type FetchTools = () => Promise<string>;

/**
 * The client tools that can speak to a server of this major version: `$BACKSTAY_PG_BIN`, then the oldest of this machine that
 * are not older than the server (a dump of a newer pg_dump cannot be read by older ones), then those that are fetched.
 * @throws TOOL_MISSING naming what was found, for pg_dump refuses a server newer than itself.
 */
export async function findClientTools(serverMajor: number, env: Variables, fetch?: FetchTools): Promise<ClientTools> {
  const found = (await Promise.all(folders(env).map(async (bin) => await toolsIn(bin)))).filter(
    (tools) => tools !== undefined,
  );
  const fit = found.filter(({ major }) => major >= serverMajor).sort((a, b) => a.major - b.major);
  const [best] = env['BACKSTAY_PG_BIN'] === undefined ? fit : fit.filter(({ bin }) => bin === env['BACKSTAY_PG_BIN']);
  if (best !== undefined) return best;
  const fetched =
    env['BACKSTAY_PG_BIN'] === undefined && fetch !== undefined ? await toolsIn(await fetch()) : undefined;
  if (fetched !== undefined && fetched.major >= serverMajor) return fetched;
  const had = found.length === 0 ? 'there are none here' : `here are ${found.map(({ version }) => version).join(', ')}`;
  throw new BackstayError(
    'TOOL_MISSING',
    `A PostgreSQL server of version ${serverMajor} needs client tools at least as new; ${had}.`,
    {
      next: `Install the PostgreSQL ${serverMajor} client tools, or name their folder with BACKSTAY_PG_BIN.`,
      details: { server: serverMajor, found: found.map(({ bin, version }) => ({ bin, version })) },
    },
  );
}

function folders(env: Variables): readonly string[] {
  const named = env['BACKSTAY_PG_BIN'];
  if (named !== undefined) return [named];
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin')) : [];
  const path = (env['PATH'] ?? '').split(delimiter).filter((dir) => dir !== '' && existsSync(join(dir, 'pg_dump')));
  return [...new Set([...debian, ...path])];
}

async function toolsIn(bin: string): Promise<ClientTools | undefined> {
  const said = await new Promise<string | undefined>((resolve) => {
    execFile(join(bin, 'pg_dump'), ['--version'], (error, stdout) => resolve(error === null ? stdout : undefined));
  });
  const version = /(\d+)(\.\d+)?/.exec(said ?? '');
  return version === null ? undefined : { bin, version: version[0], major: Number(version[1]) };
}

export interface ToolRun {
  /** What libpq reads: host, password and the like. Never in the arguments, which other users of the machine can read. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Fed to its standard input. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** Sees what it writes to its standard output. */
  readonly onOutput?: (text: string) => void;
}

const KEPT = 8_000;

/**
 * Runs one of the tools to its end. Its exit code is necessary and not sufficient: callers look at what it left.
 * @throws STORE_FAILED with the end of what it said.
 */
export async function runTool(file: string, args: readonly string[], run: ToolRun): Promise<void> {
  const { env, signal, input, onOutput } = run;
  signal?.throwIfAborted();
  const child = spawn(file, [...args], {
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', onOutput === undefined ? 'ignore' : 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  let said = '';
  if (onOutput !== undefined) child.stdout?.setEncoding('utf8').on('data', onOutput);
  child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-KEPT)));
  const ended = new Promise<{ code: number | null; cause?: unknown }>((resolve) => {
    let cause: unknown;
    // Told to stop is not stopped: only its end is. One that never began has no end.
    child.once('error', (error) => (child.pid === undefined ? resolve({ code: null, cause: error }) : (cause = error)));
    child.once('close', (code) => resolve({ code, cause }));
  });
  let unread: unknown;
  if (input !== undefined && child.stdin !== null) {
    await feed(input, child.stdin).catch((error: unknown) => {
      unread = error;
      child.stdin?.destroy();
    });
  }
  const { code, cause } = await ended;
  signal?.throwIfAborted();
  if (code === 0 && unread === undefined) return;
  const reason = said.trim() || (cause instanceof Error ? cause.message : '') || `exit code ${code ?? 'none'}`;
  throw new BackstayError('STORE_FAILED', `${file.split('/').at(-1)}: ${lastLines(reason)}`, {
    cause: cause ?? unread,
    details: { tool: file, exitCode: code },
  });
}

/**
 * Every chunk is taken from the source, also when the tool wants no more: it may have read all that it needs, and whoever
 * counts the chunks counts them all. Fails only when the source does.
 */
async function feed(source: AsyncIterable<Uint8Array>, into: Writable): Promise<void> {
  into.on('error', () => undefined);
  for await (const chunk of source) {
    if (into.destroyed || into.write(chunk)) continue;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        into.off('drain', go).off('close', go);
        resolve();
      };
      into.on('drain', go).on('close', go);
    });
  }
  if (!into.destroyed) into.end();
}

function lastLines(text: string): string {
  return text.split('\n').slice(-5).join('; ');
}
