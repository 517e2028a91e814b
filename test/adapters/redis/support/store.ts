import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBackupShelf } from '../../../../src/adapters/fs/index.ts';
import { createRedisStore, type RedisTools } from '../../../../src/adapters/redis/index.ts';
import { createSystemClock } from '../../../../src/adapters/system/index.ts';
import type { RedisStoreSetting } from '../../../../src/model/index.ts';
import type { DataStore } from '../../../../src/ports/index.ts';
import type { TestRedis } from '../../../support/redis-server.ts';

export const SPARE = 9;

export interface StoreOptions {
  readonly root: string;
  readonly tools?: RedisTools;
  readonly connection?: Partial<RedisStoreSetting['connection']>;
  readonly password?: string;
}

/** A store of a test server, with another way to it or as another user where that is said. */
export function storeOf(server: TestRedis, options: StoreOptions): DataStore {
  const clock = createSystemClock();
  const base = { host: '127.0.0.1', port: server.port, database: 0, spare: SPARE };
  const connection = { ...base, ...options.connection };
  return createRedisStore({
    stack: 'shop',
    setting: { name: 'cache', kind: 'redis', connection, tables: [], writers: [] },
    access: async () => ({ connection, password: options.password ?? server.password }),
    shelf: createBackupShelf(join(options.root, 'shop', 'cache'), clock),
    clock,
    tools: async () => options.tools ?? server.tools,
  });
}

export async function temporaryRoot(): Promise<{ readonly root: string; readonly remove: () => Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), 'backstay-test-backups-'));
  return { root, remove: async () => await rm(root, { recursive: true, force: true }) };
}

/** The first data set: `count` documents and a word. */
export async function fill(server: TestRedis, count: number, size = 10): Promise<void> {
  await server.run(
    0,
    ['FLUSHALL'],
    ['SET', 'marker', 'one'],
    ...Array.from({ length: count }, (_, n) => ['SET', `document:${n}`, `${n} `.padEnd(size, 'x')]),
  );
}

/** What a bad release does to it. */
export async function damage(server: TestRedis): Promise<void> {
  await server.run(0, ['SET', 'marker', 'two'], ['DEL', 'document:1']);
}
