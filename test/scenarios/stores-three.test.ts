import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ListedStore } from '../../src/actions/db.ts';
import { pointerFrom } from '../../src/adapters/neo4j/place-local.ts';
import { databasesIn, groundsIn } from '../../src/adapters/neo4j/folders.ts';
import type { RunReport } from '../../src/rollback/index.ts';
import { startTestNeo4j, type TestNeo4j } from '../support/neo4j-server.ts';
import { warmTools, type WarmTools } from '../support/neo4j-warm/index.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';
import { startTestRedis, type TestRedis, type TestReply } from '../support/redis-server.ts';
import { type RunAnswer, type Shop, shop } from '../support/shop.ts';
import { replicasOf, untilRunning, writer } from '../support/writers.ts';

const TIME = 300_000;
const SPARE = 15;

/** What people see of each store, whole: every row, every key with its value, every node and relationship. */
interface Contents {
  readonly main: unknown;
  readonly sessions: unknown;
  readonly graph: unknown;
}

/**
 * Rows M8 to M11 of Medical_KG's runbook in one run: its documents, its sessions and its graph belong to one moment. No
 * transaction spans the three, so what holds is: all are proven before one is touched, and all are back when one fails.
 */
describe('PostgreSQL, Redis and Neo4j together', { timeout: TIME }, () => {
  let postgres: TestPostgres;
  let redis: TestRedis;
  let neo4j: TestNeo4j;
  let warm: WarmTools;
  let here: Shop;
  let marker: string;
  let good: Contents;
  let damaged: Contents;
  /** While this file is there, a load is given a dump that ends in its middle. */
  let cutting: string;

  const config = (more = ''): string => {
    const writers = 'writers: [Deployment/worker]';
    const { home, stop, start } = neo4j.server;
    return `  backstay:stores:
    - name: main
      kind: postgres
      connection: { host: 127.0.0.1, port: ${postgres.port}, database: books, user: ada, password: { env: WORD } }
      ${writers}
    - name: sessions
      kind: redis
      connection: { host: 127.0.0.1, port: ${redis.port}, spare: ${SPARE}, password: { env: REDIS_WORD } }
      ${writers}
    - name: graph
      kind: neo4j
      connection: { host: 127.0.0.1, port: ${neo4j.port}, user: neo4j, password: { env: GRAPH_WORD } }
      local: ${JSON.stringify({ home, stop, start })}
      tools: ${JSON.stringify({ admin: [join(home, 'admin.sh')], console: warm.console })}
      timeLimit: 90s
      ${writers}
${more}`;
  };
  const contents = async (): Promise<Contents> => ({
    main: await postgres.run('books', 'SELECT * FROM facts ORDER BY n'),
    sessions: await sessionsOf(redis),
    graph: [
      await neo4j.run('MATCH (c) RETURN labels(c) AS labels, properties(c) AS properties ORDER BY c.number'),
      await neo4j.run('MATCH (a)-[r]->(b) RETURN a.number AS a, type(r) AS type, b.number AS b ORDER BY a, b'),
    ],
  });
  /** What stands beside the live data, of whatever run. */
  const beside = async (): Promise<readonly unknown[]> => {
    const databases = await postgres.run(
      'postgres',
      `SELECT datname FROM pg_database WHERE datname LIKE 'books\\_\\_%'`,
    );
    const { live } = pointerFrom(await readFile(neo4j.conf, 'utf8'), 'neo4j');
    const graphs = await databasesIn(groundsIn(join(neo4j.home, 'data')));
    const spare = (await redis.run(SPARE, ['KEYS', '*'])) as readonly string[];
    return [...databases, ...spare, ...graphs.filter((name) => name !== live)];
  };
  const isAtWork = async (): Promise<void> => {
    await untilRunning(here, 'worker', 2);
    expect(await replicasOf(here, 'worker')).toEqual({ wanted: 2, ready: 2 });
  };
  /** As the bad import left it, and nothing beside. */
  const isUntouched = async (): Promise<void> => {
    expect(await contents()).toEqual(damaged);
    expect(await beside()).toEqual([]);
    await isAtWork();
  };
  const stackWith = async (more: string): Promise<void> => {
    const head = `config:\n  backstay:namespaces: [${here.namespace}]\n  backstay:requireReason: false\n  backstay:readyTimeout: 1m\n`;
    await here.machine.stack(here.name, `${head}${config(more)}`);
  };
  const restore = (): string[] => ['db', 'restore', here.name, marker, '--all'];
  /** A restore that is expected to fail, and the steps that were done and taken back. */
  const failing = async (): Promise<{ readonly answer: RunAnswer; readonly report: RunReport }> => {
    const { stdout, code } = await here.machine.run([...restore(), '--yes', '--output', 'json']);
    expect(code).not.toBe(0);
    const answer = JSON.parse(stdout) as RunAnswer;
    return { answer, report: await here.machine.json<RunReport>(['report', answer.run]) };
  };
  const titles = ({ steps }: RunReport, status: string): readonly string[] =>
    steps.filter((step) => step.status === status).map(({ title }) => title);

  beforeAll(async () => {
    warm = await warmTools();
    [postgres, redis, neo4j] = await Promise.all([
      startTestPostgres(['-c', 'log_statement=ddl']),
      startTestRedis(['appendonly yes']),
      startTestNeo4j(warm),
    ]);
    cutting = join(neo4j.home, 'cutting');
    await writeAdmin();
    await postgres.run('postgres', 'CREATE DATABASE books');
    await postgres.run(
      'books',
      'CREATE TABLE facts (n int PRIMARY KEY, said text NOT NULL)',
      `INSERT INTO facts SELECT n, 'fact ' || n FROM generate_series(1, 200) AS n`,
      'CREATE TABLE ticks (id serial PRIMARY KEY, by text, at timestamptz DEFAULT clock_timestamp())',
    );
    await redis.run(0, ...Array.from({ length: 50 }, (_, n) => ['SET', `session:${n}`, `user ${n}`]));
    await neo4j.run(`UNWIND range(1, 40) AS n CREATE (:Concept {number: n, name: 'concept ' + n})
      WITH count(*) AS made MATCH (a:Concept), (b:Concept {number: a.number + 1}) CREATE (a)-[:BROADER]->(b)`);
    here = await shop('three', config(), {
      env: {
        WORD: postgres.password,
        REDIS_WORD: redis.password,
        GRAPH_WORD: neo4j.password,
        BACKSTAY_REDIS_BIN: dirname(redis.tools.server),
      },
    });
    await here.cluster.create(writer(here.namespace, 'worker', postgres, { replicas: 2 }));
    await isAtWork();
    good = await contents();
    const taken = await here.machine.json<RunAnswer>(['db', 'backup', here.name, '--all', '--yes']);
    if (taken.outcome !== 'succeeded') throw new TypeError(`not backed up: ${taken.reason ?? ''}`);
    marker = `set-${taken.run}`;
    await isAtWork();
    // A bad import, which reached all three.
    await postgres.run('books', 'DELETE FROM facts WHERE n > 150', `UPDATE facts SET said = 'wrong' WHERE n < 20`);
    await redis.run(0, ['FLUSHDB'], ['SET', 'session:new', 'somebody']);
    await neo4j.run('MATCH (c:Concept) WHERE c.number > 10 DETACH DELETE c');
    damaged = await contents();
  }, TIME);
  afterAll(async () => {
    await here?.remove();
    await Promise.all([postgres?.stop(), redis?.stop(), neo4j?.stop()]);
    await warm?.stop();
  });
  it('are backed up by one run, with one marker, each proven by a restore', async () => {
    await isUntouched();
    const { items } = await here.machine.json<{ items: readonly ListedStore[] }>(['db', 'list', here.name]);
    expect(items.map(({ name, kind, backups }) => ({ name, kind, backups }))).toMatchObject(
      [
        ['main', 'postgres'],
        ['sessions', 'redis'],
        ['graph', 'neo4j'],
      ].map(([name, kind]) => ({ name, kind, backups: [{ marker, proof: 'restored' }] })),
    );
  });

  it('are taken back in the order of the stack file, all three, after the plan said what is not atomic; and undone', async () => {
    const shown = await here.machine.ok([...restore(), '--dry-run']);
    expect(shown.stdout).toContain('main, sessions, graph are exchanged one after another');
    expect(shown.stdout).toContain('when one cannot be exchanged those before it are exchanged back');
    const done = await here.machine.json<RunAnswer>([...restore(), '--yes']);
    expect(done).toMatchObject({ outcome: 'succeeded' });
    expect(await contents()).toEqual(good);
    await isAtWork();
    const steps = titles(await here.machine.json<RunReport>(['report', done.run]), 'done');
    const order = [
      'Stop deployment/worker',
      'Exchange main',
      'Exchange sessions',
      'Exchange graph',
      'Bring deployment',
    ];
    const places = order.map((start) => steps.findIndex((title) => title.startsWith(start)));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));

    const undone = await here.machine.json<RunAnswer>(['undo', done.run, '--yes']);
    expect(undone).toMatchObject({ outcome: 'succeeded' });
    expect(await contents()).toEqual(damaged);
    await isAtWork();
    await here.machine.ok(['db', 'finalize', done.run, '--yes']);
    await isUntouched();
  });

  it('stay as they are when the last one cannot be loaded to its end', async () => {
    await writeFile(cutting, '');
    try {
      const { answer, report } = await failing();
      expect(answer).toMatchObject({ outcome: 'failed' });
      expect(answer.reason).toContain('graph');
      // Two of them stood beside by then, and none was exchanged.
      expect(titles(report, 'done').filter((title) => title.startsWith('Exchange'))).toEqual([]);
      expect(await postgres.log()).toContain(`CREATE DATABASE "books__bs_${answer.run.replaceAll('-', '')}"`);
    } finally {
      await rm(cutting);
    }
    await isUntouched();
  });

  it('are all as they were when the last one was loaded and proven, and its server cannot open it any more', async () => {
    const script = join(here.machine.dir, 'harm.mjs');
    await writeFile(script, harming(join(neo4j.home, 'data', 'databases')));
    await stackWith(`  backstay:hooks:
    - name: harm
      phase: quiesced
      action: { kind: command, command: [${process.execPath}, ${script}] }
`);
    try {
      const { answer } = await failing();
      expect(answer).toMatchObject({ outcome: 'failed' });
      expect(answer.reason).toContain('graph');
      const id = answer.run.replaceAll('-', '');
      // The first was exchanged, and exchanged back.
      const log = await postgres.log();
      expect(log).toContain(`RENAME TO "books__bs_${id}_prev"`);
      expect(log).toContain(`ALTER DATABASE "books__bs_${id}_prev" RENAME TO "books"`);
      expect(await contents()).toEqual(damaged);
      await isAtWork();
      await here.machine.ok(['db', 'finalize', answer.run, '--yes']);
      await isUntouched();
    } finally {
      await stackWith('');
    }
  });

  /** The real programs; a load gets the first half of its dump while it is to fail in its middle. */
  async function writeAdmin(): Promise<void> {
    const [admin = ''] = warm.admin;
    const file = join(neo4j.home, 'admin.sh');
    await writeFile(
      file,
      `#!/bin/bash
if [ "$1 $2" = 'database load' ] && [ -e '${cutting}' ]; then
  from="\${4#--from-path=}"
  half=$(mktemp -d '${neo4j.home}/half-XXXXXX')
  bytes=$(stat -L -c %s "$from/$3.dump")
  head -c $((bytes / 2)) "$from/$3.dump" >"$half/$3.dump"
  '${admin}' database load "$3" "--from-path=$half"
  code=$?
  rm -rf "$half"
  exit $code
fi
exec '${admin}' "$@"
`,
    );
    await chmod(file, 0o755);
  }
});

async function sessionsOf(redis: TestRedis): Promise<readonly (readonly [string, TestReply])[]> {
  const keys = ((await redis.run(0, ['KEYS', '*'])) as readonly string[]).toSorted();
  if (keys.length === 0) return [];
  const values = (await redis.run(0, ['MGET', ...keys])) as readonly TestReply[];
  return keys.map((key, at) => [key, values[at] ?? null]);
}

/** Cuts the files of what was restored beside, as a disk does that fails between its proof and its use. */
function harming(databases: string): string {
  return `import { readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
for (const name of readdirSync(${JSON.stringify(databases)}).filter((one) => one.includes('-bs-')))
  for (const file of readdirSync(join(${JSON.stringify(databases)}, name)))
    if (file.startsWith('neostore')) truncateSync(join(${JSON.stringify(databases)}, name, file), 10);
`;
}
