import type { Client } from 'pg';
import { BackstayError } from '../../../errors/index.ts';
import type { KubeObject } from '../../../model/index.ts';
import type { ApiKind, Cluster, WatchEvent } from '../../../ports/index.ts';
import { type Access, connected } from './connection.ts';
import { MAINTENANCE } from './fence.ts';

/** As much of a cluster as a Lease needs. */
export type LeaseStore = Pick<Cluster, 'get' | 'create' | 'replace' | 'watch' | 'kindOf'>;

const CHANNEL = 'backstay_leases';
const KIND: ApiKind = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  resource: 'leases',
  namespaced: true,
  verbs: [],
};

/**
 * Leases in the database's own server, for a run that may not ask the API server: rows of `backstay.leases` in its maintenance
 * database, changed only in the version that was read, and told by NOTIFY. What a Lease means is the lock's business and the
 * same as in a cluster. Errors: STORE_UNREACHABLE, STORE_FAILED, OBJECT_MOVED.
 */
export function createLeaseTable(access: () => Promise<Access>): LeaseStore {
  const query = async <T>(work: (client: Client) => Promise<T>): Promise<T> =>
    await connected(await access(), work, { database: MAINTENANCE, statementTimeoutMs: 10_000 });
  const written = async (name: string, statement: string, values: readonly unknown[]): Promise<KubeObject> =>
    await query(async (client) => {
      await ensureTable(client);
      const { rows } = await client.query<Row>(
        `WITH done AS (${statement}) SELECT done.*, pg_notify('${CHANNEL}', name) FROM done`,
        [...values],
      );
      const [row] = rows;
      if (row === undefined)
        throw new BackstayError('OBJECT_MOVED', `lease ${name} was changed by somebody else`, { details: { name } });
      return objectOf(row);
    });
  return {
    get: async ({ name }) => await query(async (client) => await read(client, name)),
    create: async (lease) => {
      const { name } = lease.metadata;
      const insert = `INSERT INTO backstay.leases (name, version, lease) VALUES ($1, 1, $2) ON CONFLICT DO NOTHING RETURNING *`;
      return await written(name, insert, [name, JSON.stringify(lease)]);
    },
    replace: async (lease) => {
      const { name, resourceVersion } = lease.metadata;
      const update = `UPDATE backstay.leases SET version = version + 1, lease = $2 WHERE name = $1 AND version = $3 RETURNING *`;
      return await written(name, update, [name, JSON.stringify(lease), resourceVersion ?? '0']);
    },
    kindOf: async () => KIND,
    watch: (_kind, { name = '', signal }) => watched(access, name, signal),
  };
}

interface Row {
  readonly name: string;
  /** bigint, as text. */
  readonly version: string;
  readonly lease: KubeObject;
}

function objectOf({ name, version, lease }: Row): KubeObject {
  return { ...lease, metadata: { ...lease.metadata, name, uid: name, resourceVersion: version } };
}

async function read(client: Client, name: string): Promise<KubeObject | undefined> {
  const { rows: there } = await client.query<{ there: boolean }>(
    `SELECT to_regclass('backstay.leases') IS NOT NULL AS there`,
  );
  if (there[0]?.there !== true) return undefined;
  const { rows } = await client.query<Row>('SELECT * FROM backstay.leases WHERE name = $1', [name]);
  return rows[0] === undefined ? undefined : objectOf(rows[0]);
}

async function ensureTable(client: Client): Promise<void> {
  await client.query('BEGIN');
  // Two that make it at once: the second waits here, and then finds it made.
  await client.query(`SELECT pg_advisory_xact_lock(hashtext('backstay.leases'))`);
  await client.query('CREATE SCHEMA IF NOT EXISTS backstay');
  await client.query(
    'CREATE TABLE IF NOT EXISTS backstay.leases (name text PRIMARY KEY, version bigint NOT NULL, lease jsonb NOT NULL)',
  );
  await client.query('COMMIT');
}

/** The lease as it is, then as it is after each notification, until the signal. */
async function* watched(
  access: () => Promise<Access>,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent, void, undefined> {
  const seen: WatchEvent[] = [];
  let wake = Promise.withResolvers<void>();
  const push = (event: WatchEvent): void => {
    seen.push(event);
    wake.resolve();
  };
  const listening = connected(
    await access(),
    async (client) => {
      const over = Promise.withResolvers<void>();
      client.on('end', () => over.resolve());
      signal.addEventListener('abort', () => over.resolve(), { once: true });
      client.on('notification', ({ payload }) => {
        if (payload !== name) return;
        void read(client, name).then(
          (object) => object !== undefined && push({ type: 'modified', object }),
          () => over.resolve(),
        );
      });
      await client.query(`LISTEN ${CHANNEL}`);
      const object = await read(client, name);
      if (object !== undefined) push({ type: 'added', object });
      push({ type: 'synced' });
      if (!signal.aborted) await over.promise;
    },
    { database: MAINTENANCE },
  );
  const over = new AbortController();
  const ended = listening.finally(() => {
    over.abort();
    wake.resolve();
  });
  ended.catch(() => undefined);
  try {
    while (!over.signal.aborted || seen.length > 0) {
      const event = seen.shift();
      if (event === undefined) {
        await wake.promise;
        wake = Promise.withResolvers<void>();
      } else if (!signal.aborted) yield event;
    }
    if (!signal.aborted) await ended;
  } finally {
    // Whoever stops looking has given the signal; a connection that is not waited for would outlive the look.
    if (signal.aborted) await ended.catch(() => undefined);
  }
}
