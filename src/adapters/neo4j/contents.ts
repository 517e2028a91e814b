import { createHash } from 'node:crypto';
import { canonicalJson, digestOf, type Json, type StoreShape } from '../../model/index.ts';
import type { Integrity, StoreSession } from '../../ports/index.ts';
import { type Ask, USER_AGENT } from './bolt.ts';

/** Nodes or relationships of one kind that are read for a digest; what lies beyond is sampled. */
const READ = 100_000;

/** What a graph is made of, as people and Cypher write it: labels, and `-[:TYPE]->` for relationships. */
interface Part {
  readonly name: string;
  readonly pattern: string;
  /** What is bound in the pattern. */
  readonly bound: 'n' | 'r';
}

const ALL_NODES = '()';
const ALL_RELATIONSHIPS = '()-->()';

export interface ServerFacts {
  /** `5.26.30`. */
  readonly version: string;
  /** Of this one server's data, since it was first started. */
  readonly systemIdentifier: string;
  /** The database that it serves by default. */
  readonly live: string;
}

export async function serverFacts(ask: Ask): Promise<ServerFacts> {
  const [component] = await ask(
    'CALL dbms.components() YIELD name, versions WHERE name = "Neo4j Kernel" RETURN versions[0] AS version',
  );
  const [server] = await ask('CALL dbms.info() YIELD id');
  const [database] = await ask('CALL db.info() YIELD name');
  return {
    version: String(component?.['version']),
    systemIdentifier: String(server?.['id']),
    live: String(database?.['name']),
  };
}

/** Nodes by label and relationships by type, none left out, and how many there are of each at all. */
export async function countsOf(ask: Ask): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {
    [ALL_NODES]: await count(ask, 'MATCH (n) RETURN count(n) AS count'),
    [ALL_RELATIONSHIPS]: await count(ask, 'MATCH ()-[r]->() RETURN count(r) AS count'),
  };
  for (const { name, pattern, bound } of await partsOf(ask)) {
    const found = await count(ask, `MATCH ${pattern} RETURN count(${bound}) AS count`);
    // A label that nothing carries any more is still known to the server.
    if (found > 0) counts[name] = found;
  }
  return counts;
}

/** Who else is connected. Connections of ours call themselves so. */
export async function sessionsOf(ask: Ask): Promise<readonly StoreSession[]> {
  const rows = await ask('CALL dbms.listConnections() YIELD userAgent, username, clientAddress, connectionId RETURN *');
  const transactions = await ask(
    'SHOW TRANSACTIONS YIELD connectionId, elapsedTime RETURN connectionId AS id, elapsedTime.milliseconds AS ms',
  );
  const busy = new Map(transactions.map(({ id, ms }) => [id, Number(ms)]));
  return rows
    .filter(({ userAgent }) => !text(userAgent).startsWith(USER_AGENT))
    .map(({ userAgent, username, clientAddress, connectionId }) => {
      const busyMs = busy.get(connectionId);
      return {
        application: text(userAgent),
        user: text(username),
        address: text(clientAddress),
        ...(busyMs === undefined ? {} : { busyMs }),
      };
    });
}

/** Properties by label and by type, and how many have each: a graph has no other columns. One pass over each part. */
export async function shapeOf(ask: Ask): Promise<StoreShape> {
  const tables: Record<string, StoreShape['tables'][string]> = {};
  for (const { name, pattern, bound } of await partsOf(ask)) {
    const rows = await count(ask, `MATCH ${pattern} RETURN count(${bound}) AS count`);
    if (rows === 0) continue;
    const found = await ask(
      `MATCH ${pattern} UNWIND keys(${bound}) AS key
       WITH key, collect(DISTINCT replace(valueType(${bound}[key]), ' NOT NULL', '')) AS types, count(*) AS filled
       RETURN key, types, filled ORDER BY key`,
    );
    const columns = found.map(({ key, types, filled }) => {
      const type = [...(types as string[])].sort().join(' | ');
      return [String(key), { type, nullable: Number(filled) < rows, filled: Number(filled) }] as const;
    });
    tables[name] = { rows, columns: Object.fromEntries(columns) };
  }
  const kinds = Object.entries(tables).map(([name, { columns }]) => ({
    name,
    columns: Object.entries(columns).map(([column, { type }]) => ({ column, type })),
  }));
  return { tables, schema: digestOf({ kinds, rules: await rulesOf(ask) }) };
}

/** Indexes and constraints: the schema that a graph does declare. */
async function rulesOf(ask: Ask): Promise<Json> {
  const indexes = await ask(
    'SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties WHERE type <> "LOOKUP" RETURN * ORDER BY name',
  );
  const constraints = await ask(
    'SHOW CONSTRAINTS YIELD name, type, entityType, labelsOrTypes, properties RETURN * ORDER BY name',
  );
  return [indexes as Json, constraints as Json];
}

/**
 * Counts, a digest of what each part holds, and the indexes that do not work. That the files themselves fit together is
 * proven where nobody serves them: by the check of a dump and of what was loaded from it.
 */
export async function integrityOf(ask: Ask): Promise<Integrity> {
  const contents: Record<string, Integrity['contents'][string]> = {};
  for (const part of await partsOf(ask)) {
    const digest = await digestOfPart(ask, part);
    if (digest !== undefined) contents[part.name] = digest;
  }
  const indexes = await ask('SHOW INDEXES YIELD name, state RETURN name, state ORDER BY name');
  const named = (state: string): readonly string[] =>
    indexes.filter((index) => index['state'] === state).map(({ name }) => String(name));
  return {
    rows: await countsOf(ask),
    contents,
    problems: named('FAILED').map((name) => `the index ${name} failed and answers nothing`),
    unknown: named('POPULATING').map((name) => `the index ${name} is not built yet`),
  };
}

/** In the order of Neo4j's own ids, which a dump keeps. */
async function digestOfPart(ask: Ask, { pattern, bound }: Part): Promise<Integrity['contents'][string] | undefined> {
  const more = bound === 'n' ? 'labels(n) AS labels' : 'id(startNode(r)) AS from, id(endNode(r)) AS to';
  const rows = await ask(
    `MATCH ${pattern} WITH ${bound} ORDER BY id(${bound}) LIMIT ${READ + 1}
     RETURN id(${bound}) AS id, ${more}, properties(${bound}) AS properties`,
  );
  if (rows.length === 0) return undefined;
  const hash = createHash('sha256');
  for (const row of rows.slice(0, READ)) hash.update(`${canonicalJson(plain(row))}\n`);
  return { digest: `sha256:${hash.digest('hex')}`, sampled: rows.length > READ };
}

async function partsOf(ask: Ask): Promise<readonly Part[]> {
  const labels = await ask('CALL db.labels() YIELD label RETURN label ORDER BY label');
  const types = await ask('CALL db.relationshipTypes() YIELD relationshipType AS type RETURN type ORDER BY type');
  return [
    ...labels.map(
      ({ label }) => ({ name: String(label), pattern: `(n:${quoted(String(label))})`, bound: 'n' }) as const,
    ),
    ...types.map(
      ({ type }) =>
        ({ name: `-[:${String(type)}]->`, pattern: `()-[r:${quoted(String(type))}]->()`, bound: 'r' }) as const,
    ),
  ];
}

async function count(ask: Ask, query: string): Promise<number> {
  const [row] = await ask(query);
  return Number(row?.['count']);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** As JSON: values of Neo4j's own kinds (times, points) by their fields, bytes as base64. */
export function plain(value: unknown): Json {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  if (typeof value !== 'object') return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}
