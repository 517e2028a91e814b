import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import neo4j, { type Driver } from 'neo4j-driver';
import type { Neo4jServer } from '../../src/model/index.ts';
import { findNeo4j, type Neo4jTools } from '../../src/toolchain/neo4j.ts';
import { freePort } from '../../src/free-port.ts';

const run = promisify(execFile);

/** A real Neo4j of a test file's own, on loopback; it ends with the process of the tests, whatever ends that. */
export interface TestNeo4j {
  readonly port: number;
  readonly password: string;
  readonly tools: Neo4jTools;
  readonly home: string;
  readonly conf: string;
  /** How Backstay stops and starts it. */
  readonly server: Extract<Neo4jServer, { readonly kind: 'local' }>;
  /** One query on the database that it serves. */
  run(query: string): Promise<readonly Record<string, unknown>[]>;
  /** A client of this name, connected until it is closed. */
  client(name: string): Promise<{ readonly close: () => Promise<void> }>;
  /** `kill -9`; undefined when it does not run. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** As small and as quick as it gets: what a test waits for is Java, not its graph. */
const SETTINGS = [
  'server.http.enabled=false',
  'server.https.enabled=false',
  'server.memory.pagecache.size=32m',
  'dbms.usage_report.enabled=false',
  'internal.dbms.bolt.netty_server_shutdown_quiet_period=0',
];

/**
 * `start` comes back when the JVM was started, `stop` when it is gone. A second process waits for the end of the tests and
 * kills the server then.
 */
const CONTROL = `#!/bin/sh
cd "$(dirname -- "$0")" || exit 1
case $1 in
start)
  if [ -f pid ] && kill -0 "$(cat pid)" 2>/dev/null; then exit 0; fi
  NEO4J_HOME=$PWD NEO4J_CONF=$PWD/conf "$3" console >>server.log 2>&1 </dev/null &
  server=$!
  echo "$server" >pid
  (tail --pid="$2" -f /dev/null; kill -KILL "$server") >/dev/null 2>&1 </dev/null &
  echo $! >watch
  ;;
stop)
  [ -f pid ] || exit 0
  kill -TERM "$(cat pid)" 2>/dev/null
  tail --pid="$(cat pid)" -f /dev/null
  for child in $(ps -o pid= --ppid "$(cat watch)"); do kill "$child"; done 2>/dev/null
  rm -f pid watch
  ;;
esac
`;

export async function startTestNeo4j(given?: Neo4jTools): Promise<TestNeo4j> {
  const tools = given ?? (await findNeo4j());
  const home = await mkdtemp(join(tmpdir(), 'backstay-test-neo4j-'));
  const conf = join(home, 'conf', 'neo4j.conf');
  const control = join(home, 'control.sh');
  const port = await freePort();
  const password = randomBytes(12).toString('hex');
  await mkdir(join(home, 'conf'));
  await writeFile(conf, `${[...SETTINGS, `server.bolt.listen_address=127.0.0.1:${port}`].join('\n')}\n`);
  await writeFile(control, CONTROL);
  await chmod(control, 0o755);
  const env = { ...process.env, NEO4J_HOME: home, NEO4J_CONF: join(home, 'conf') };
  const [admin = ''] = tools.admin;
  await run(admin, ['dbms', 'set-initial-password', password], { env });

  const driver = (name: string): Driver =>
    neo4j.driver(`bolt://127.0.0.1:${port}`, neo4j.auth.basic('neo4j', password), {
      userAgent: name,
      disableLosslessIntegers: true,
    });
  const ask = async (query: string): Promise<readonly Record<string, unknown>[]> => {
    const own = driver('a-test');
    try {
      return (await own.executeQuery(query)).records.map((record) => record.toObject());
    } finally {
      await own.close();
    }
  };
  const [console = ''] = tools.console;
  const words = (what: string): readonly string[] => [control, what, String(process.pid), console];
  const call = async (what: string): Promise<void> => {
    const [file = '', ...args] = words(what);
    await run(file, args);
  };
  const start = async (): Promise<void> => {
    await call('start');
    for (;;) {
      try {
        await ask('RETURN 1');
        return;
      } catch (error) {
        const pid = await readFile(join(home, 'pid'), 'utf8').catch(() => '0');
        if (!isAlive(Number(pid)))
          throw new TypeError(`Neo4j ended: ${await readFile(join(home, 'server.log'), 'utf8')}`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };
  await start();
  return {
    port,
    password,
    tools,
    home,
    conf,
    server: { kind: 'local', home, stop: words('stop'), start: words('start') },
    run: ask,
    client: async (name) => {
      const own = driver(name);
      await own.executeQuery('RETURN 1');
      return { close: async () => await own.close() };
    },
    kill: async () => {
      process.kill(Number(await readFile(join(home, 'pid'), 'utf8')), 'SIGKILL');
      await call('stop');
    },
    start,
    stop: async () => {
      await call('stop');
      await rm(home, { recursive: true, force: true });
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid > 0;
  } catch {
    return false;
  }
}
