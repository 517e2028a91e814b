import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BackstayError, isBackstayError } from '../../errors/index.ts';
import { type Link, linked, textOf } from './connection.ts';
import { type Child, lastLines, type RedisTools, start } from './tools.ts';

/** Between two looks whether it has read its file, milliseconds. */
const AGAIN_MS = 20;
/** More than any server has that the file may come from; an empty one costs some bytes. */
const DATABASES = 16_384;

/** Opens a database of the scratch server. */
export type Scratch = <T>(database: number, work: (link: Link) => Promise<T>) => Promise<T>;

/**
 * Starts a server of its own on this machine with what is in an RDB file, reached through a socket that nobody else can
 * reach, and ends it when the work is done. It follows a server that does not exist: one that follows nobody throws away
 * while it reads what has expired since, and no two counts of one file would agree.
 * @throws STORE_FAILED with the server's own words when it does not take the file
 */
export async function withScratch<T>(
  tools: RedisTools,
  rdb: string | undefined,
  work: (scratch: Scratch) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const folder = join(tmpdir(), `backstay-redis-${randomBytes(6).toString('hex')}`);
  const path = join(folder, 'socket');
  const server = start([tools.server, ...settings(rdb, folder, path)], {}, folder);
  signal?.addEventListener('abort', server.end, { once: true });
  const open: Scratch = async (database, act) =>
    await linked({ socket: { path } }, act, database, signal).catch((error: unknown) => {
      signal?.throwIfAborted();
      if (isBackstayError(error) || !(error instanceof Error)) throw error;
      throw new BackstayError('STORE_FAILED', `the scratch server: ${error.message}`, { cause: error });
    });
  try {
    await untilRead(server, path, open, signal);
    return await work(open);
  } finally {
    signal?.removeEventListener('abort', server.end);
    server.end();
    await server.ended.catch(() => undefined);
  }
}

function settings(rdb: string | undefined, folder: string, socket: string): readonly string[] {
  const file =
    rdb === undefined ? { dir: folder } : { dir: dirname(rdb), dbfilename: basename(rdb), replicaof: '127.0.0.1 1' };
  const all = {
    ...file,
    port: '0',
    unixsocket: socket,
    unixsocketperm: '700',
    databases: String(DATABASES),
    // It reads the backup's own file, and must never write it.
    save: '',
    appendonly: 'no',
    maxmemory: '0',
    loglevel: 'warning',
    daemonize: 'no',
  };
  return Object.entries(all).flatMap(([name, value]) => [
    `--${name}`,
    ...(name === 'replicaof' ? value.split(' ') : [value]),
  ]);
}

async function untilRead(server: Child, path: string, open: Scratch, signal?: AbortSignal): Promise<void> {
  let code: number | undefined;
  server.ended.then(
    (ended) => (code = ended),
    () => (code = 127),
  );
  for (;;) {
    signal?.throwIfAborted();
    if (code !== undefined)
      throw new BackstayError('STORE_FAILED', `redis-server does not take the file: ${reasonIn(server.said())}`, {
        details: { exitCode: code },
      });
    if (existsSync(path) && (await isReady(open))) return;
    await delay(AGAIN_MS, undefined, signal === undefined ? {} : { signal });
  }
}

async function isReady(open: Scratch): Promise<boolean> {
  try {
    return await open(0, async (link) => /^loading:0/m.test(textOf(await link.send('INFO', 'persistence'))));
  } catch (error) {
    if (isBackstayError(error)) return false;
    throw error;
  }
}

/** It goes on to check the file when it cannot load it: why it could not comes first. */
function reasonIn(said: string): string {
  const line = said
    .split('\n')
    .find((one) => /error|fatal|can't|short read|wrong/i.test(one) && !one.includes('WARNING'));
  return line?.replace(/^.*?(-> | # )/, '') ?? lastLines(said);
}
