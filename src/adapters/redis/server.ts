import type { StoreSession } from '../../ports/index.ts';
import { CLIENT_NAME, type Link, listOf, textOf } from './connection.ts';

export interface ServerFacts {
  /** `7.0.15`. */
  readonly version: string;
  /** Of its replication history, which a restart keeps where it saves. */
  readonly id: string;
  readonly isCluster: boolean;
  readonly isReplica: boolean;
  /** Address of the server that a replica follows. */
  readonly master: string;
  readonly usedBytes: number;
  /** Of the data alone, without what the server needs for itself. */
  readonly dataBytes: number;
  /** 0: no limit. */
  readonly limitBytes: number;
  readonly policy: string;
  /** 0 where it does not say. */
  readonly systemBytes: number;
  readonly hasAof: boolean;
  readonly isLoading: boolean;
  readonly modules: readonly string[];
}

export async function serverFacts(link: Link): Promise<ServerFacts> {
  return factsOf(textOf(await link.send('INFO', 'everything')));
}

/** Reads the lines of INFO, `name:value`. */
export function factsOf(info: string): ServerFacts {
  const lines = info.split(/\r?\n/);
  const fields = new Map(lines.map((line) => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1)]));
  const text = (name: string): string => fields.get(name) ?? '';
  const number = (name: string): number => Number(fields.get(name) ?? 0);
  return {
    version: text('redis_version'),
    id: text('master_replid') || text('run_id'),
    isCluster: text('redis_mode') === 'cluster',
    isReplica: text('role') === 'slave',
    master: `${text('master_host')}:${text('master_port')}`,
    usedBytes: number('used_memory'),
    dataBytes: number('used_memory_dataset'),
    limitBytes: number('maxmemory'),
    policy: text('maxmemory_policy'),
    systemBytes: number('total_system_memory'),
    hasAof: text('aof_enabled') === '1',
    isLoading: text('loading') === '1',
    modules: lines.flatMap((line) => /^module:name=([^,]+)/.exec(line)?.[1] ?? []),
  };
}

export interface KeyCount {
  readonly keys: number;
  /** Those of them that have a time to live. */
  readonly expiring: number;
}

/** Of the database that the connection is in, as far as the server has not removed what has expired. */
export async function countKeys(link: Link, database: number): Promise<KeyCount> {
  const line = new RegExp(`^db${database}:keys=(\\d+),expires=(\\d+)`, 'm').exec(
    textOf(await link.send('INFO', 'keyspace')),
  );
  return { keys: Number(line?.[1] ?? 0), expiring: Number(line?.[2] ?? 0) };
}

/** Clients that are in a database now; those of Backstay and the server's own replicas left out. */
export async function clientsIn(link: Link, database: number): Promise<readonly StoreSession[]> {
  return parseClients(textOf(await link.send('CLIENT', 'LIST')), database);
}

/** Reads the lines of CLIENT LIST, `name=value` parted by blanks. */
export function parseClients(list: string, database: number): readonly StoreSession[] {
  return list
    .split('\n')
    .map(
      (line) =>
        new Map(line.split(' ').map((field) => [field.split('=', 1)[0] ?? '', field.slice(field.indexOf('=') + 1)])),
    )
    .filter(
      (client) =>
        client.get('db') === String(database) &&
        client.get('name') !== CLIENT_NAME &&
        !/[SM]/.test(client.get('flags') ?? ''),
    )
    .map((client) => ({
      application: client.get('name') ?? '',
      user: client.get('user') ?? '',
      address: client.get('addr') ?? '',
    }));
}

/** Keys of a database, so many at a time. A key may come twice while the server makes room; none is left out. */
export async function* scan(link: Link, count = 1_000): AsyncGenerator<readonly Buffer[]> {
  let cursor = '0';
  do {
    const [next, keys] = listOf(await link.send('SCAN', cursor, 'COUNT', String(count)));
    cursor = textOf(next);
    yield listOf(keys).filter((key): key is Buffer => Buffer.isBuffer(key));
  } while (cursor !== '0' && cursor !== '');
}
