import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BackstayError } from '../../errors/index.ts';
import { type AdminOptions, homeIn } from './admin.ts';
import { type Ask, connected, isOnlyAway } from './bolt.ts';
import { type Grounds, groundsIn, withFolder } from './folders.ts';
import { lastLines, runTool, start } from './process.ts';
import { freePort } from '../../free-port.ts';

/** Between two looks whether it answers, milliseconds. */
const AGAIN_MS = 100;

/**
 * Starts a server of its own on this machine with one database, reached on loopback alone and with a password that nobody
 * else knows, and ends it when the work is done. `fill` puts the database there.
 * @throws STORE_FAILED with the server's own words when it does not serve it, TIMEOUT
 */
export async function withScratch<T>(
  admin: AdminOptions,
  database: string,
  fill: (grounds: Grounds) => Promise<void>,
  work: (ask: Ask) => Promise<T>,
): Promise<T> {
  return await withFolder(async (home) => {
    const data = join(home, 'data');
    const port = await freePort();
    const settings = [
      `initial.dbms.default_database=${database}`,
      `server.bolt.listen_address=127.0.0.1:${port}`,
      'server.http.enabled=false',
      'server.https.enabled=false',
      'server.memory.pagecache.size=64m',
      'server.memory.heap.max_size=512m',
      'dbms.usage_report.enabled=false',
    ];
    const grounds = groundsIn(data, settings);
    await fill(grounds);
    const password = randomBytes(24).toString('hex');
    const env = { ...admin.env, ...(await homeIn(home, grounds.settings)) };
    await setPassword(admin, env, home, password);
    const connection = { host: '127.0.0.1', port, user: 'neo4j', database };
    return await served({ ...admin, env }, home, async (ended) => {
      await untilAnswering(
        admin,
        ended,
        async () =>
          await connected({ connection, password }, async (ask) => void (await ask('RETURN 1')), admin.signal),
      );
      return await connected({ connection, password }, work, admin.signal);
    });
  });
}

/** Through a file: what stands in the arguments of a program everybody on the machine can read. */
async function setPassword(
  admin: AdminOptions,
  env: AdminOptions['env'],
  home: string,
  password: string,
): Promise<void> {
  const file = join(home, 'password');
  await writeFile(file, password, { mode: 0o600 });
  const { exitCode, said } = await runTool([...admin.tools.admin, 'dbms', 'set-initial-password', `@${file}`], {
    ...admin,
    env,
  });
  if (exitCode !== 0)
    throw new BackstayError('STORE_FAILED', `the scratch server takes no password: ${lastLines(said)}`);
}

interface Ended {
  /** Undefined while it runs. */
  readonly code: () => number | undefined;
  readonly said: () => string;
}

async function served<T>(
  { tools, env, signal }: AdminOptions,
  home: string,
  work: (ended: Ended) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const server = start(tools.console, env, home);
  let code: number | undefined;
  server.ended.then(
    (ended) => (code = ended),
    () => (code = 127),
  );
  signal?.addEventListener('abort', server.end, { once: true });
  try {
    return await work({ code: () => code, said: server.said });
  } finally {
    signal?.removeEventListener('abort', server.end);
    // Killed: nothing in it is wanted any more.
    server.end();
    await server.ended.catch(() => undefined);
  }
}

async function untilAnswering(
  { limitMs, signal }: AdminOptions,
  ended: Ended,
  look: () => Promise<void>,
): Promise<void> {
  const until = performance.now() + limitMs;
  for (;;) {
    signal?.throwIfAborted();
    if (ended.code() !== undefined)
      throw new BackstayError('STORE_FAILED', `a server of our own does not start: ${lastLines(ended.said())}`);
    try {
      return await look();
    } catch (error) {
      if (!isOnlyAway(error)) throw error;
      if (performance.now() > until)
        throw new BackstayError(
          'TIMEOUT',
          `a server of our own did not serve the restored graph within ${limitMs} ms`,
          {
            cause: error,
            details: { output: lastLines(ended.said()) },
          },
        );
    }
    await delay(AGAIN_MS, undefined, signal === undefined ? {} : { signal });
  }
}
