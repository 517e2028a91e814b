import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBackupShelf } from '../../../src/adapters/fs/index.ts';
import { databasesIn, groundsIn } from '../../../src/adapters/neo4j/folders.ts';
import { createNeo4jStore, type Neo4jStoreOptions } from '../../../src/adapters/neo4j/index.ts';
import { pointerFrom } from '../../../src/adapters/neo4j/place-local.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import type { DataStoreFixture } from '../../contracts/data-store.ts';
import type { TestNeo4j } from '../../support/neo4j-server.ts';

const LIMIT_MS = 100_000;

export function storeOn(neo4j: TestNeo4j, root: string, more: Partial<Neo4jStoreOptions> = {}): DataStore {
  const connection = { host: '127.0.0.1', port: neo4j.port, user: 'neo4j', database: 'neo4j' };
  const clock = createSystemClock();
  return createNeo4jStore({
    stack: 'shop',
    setting: {
      name: 'graph',
      kind: 'neo4j',
      connection,
      tables: [],
      writers: [],
      server: neo4j.server,
      limitMs: LIMIT_MS,
    },
    access: async () => ({ connection, password: neo4j.password }),
    shelf: createBackupShelf(root, clock),
    clock,
    // By its TMPDIR a test finds again what was started for it.
    env: { ...process.env, TMPDIR: root },
    tools: async () => neo4j.tools,
    cluster: async () => await Promise.reject(new TypeError('this server runs in no cluster')),
    namespace: 'shop',
    ...more,
  });
}

/** Everything on the server but what it serves and what is its own. */
export async function besideOf({ conf, home }: TestNeo4j): Promise<readonly string[]> {
  const { live } = pointerFrom(await readFile(conf, 'utf8'), 'neo4j');
  return (await databasesIn(groundsIn(join(home, 'data')))).filter((name) => name !== live);
}

export const ROWS = {
  '()': 301,
  '()-->()': 299,
  Document: 300,
  Marker: 1,
  '-[:CITES]->': 299,
};

/** The first of two data sets, whatever was there before. */
export async function fill(neo4j: TestNeo4j): Promise<void> {
  await neo4j.run('MATCH (n) DETACH DELETE n');
  await neo4j.run(
    "CREATE (:Marker {word: 'one'}) WITH 1 AS x UNWIND range(1, 300) AS n CREATE (:Document {number: n, title: 'document ' + n})",
  );
  await neo4j.run('MATCH (a:Document), (b:Document {number: a.number + 1}) CREATE (a)-[:CITES {page: a.number}]->(b)');
}

export async function makeFixture(neo4j: TestNeo4j): Promise<DataStoreFixture> {
  const root = await mkdtemp(join(tmpdir(), 'backstay-backups-'));
  await fill(neo4j);
  return {
    store: storeOn(neo4j, root),
    rows: ROWS,
    marker: async () => String((await neo4j.run('MATCH (m:Marker) RETURN m.word AS word'))[0]?.['word']),
    damage: async () => {
      await neo4j.run("MATCH (m:Marker) SET m.word = 'two'");
      await neo4j.run('MATCH (d:Document) WHERE d.number > 200 DETACH DELETE d');
    },
    beside: async () => await besideOf(neo4j),
    session: async () => await neo4j.client('writer'),
    file: ({ folder, manifest }) => join(folder, manifest.file.name),
    password: neo4j.password,
    obstruct: async () => {
      const text = await readFile(neo4j.conf, 'utf8');
      await writeFile(neo4j.conf, `${text}initial.dbms.default_database=another\n`);
      return async () => await writeFile(neo4j.conf, text);
    },
    alter: async () => void (await neo4j.run("MATCH (d:Document) WHERE d.number < 5 SET d.author = 'ada'")),
    stop: async () => await rm(root, { recursive: true, force: true }),
  };
}
