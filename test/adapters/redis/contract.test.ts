import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import { afterAll, beforeAll } from 'vitest';
import { createBackupShelf } from '../../../src/adapters/fs/index.ts';
import { createRedisStore } from '../../../src/adapters/redis/index.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import { type DataStoreFixture, dataStoreContract } from '../../contracts/data-store.ts';
import { startTestRedis, type TestRedis } from '../../support/redis-server.ts';

const SPARE = 9;
/** Keys of the first data set. Many enough that a restore takes more than one piece. */
const DOCUMENTS = 3_000;

let server: TestRedis;

beforeAll(async () => {
  server = await startTestRedis();
}, 120_000);
afterAll(async () => {
  await server.stop();
});

dataStoreContract('Redis', async () => await fixture(), { lacks: ['spoil', 'alter'] });

async function fixture(): Promise<DataStoreFixture> {
  const root = await mkdtemp(join(tmpdir(), 'backstay-contract-redis-'));
  const clock = createSystemClock();
  const connection = { host: '127.0.0.1', port: server.port, database: 0, spare: SPARE };
  await server.run(
    0,
    ['FLUSHALL'],
    ...Array.from({ length: DOCUMENTS }, (_, n) => ['SET', `document:${n}`, `text ${n}`]),
    ['SET', 'marker', 'one'],
    ['HSET', 'user:1', 'name', 'Ada', 'mail', 'ada@example'],
    ['RPUSH', 'queue', 'a', 'b', 'c'],
    ['SADD', 'tags', 'x', 'y', 'z'],
    ['ZADD', 'ranking', '1', 'one', '2.5', 'two'],
    ['XADD', 'events', '1-1', 'what', 'made'],
    ['XGROUP', 'CREATE', 'events', 'readers', '0'],
    ['SET', 'session', 'of somebody', 'EX', '86400'],
  );
  return {
    store: createRedisStore({
      stack: 'shop',
      setting: { name: 'cache', kind: 'redis', connection, tables: [], writers: [] },
      access: async () => ({ connection, password: server.password }),
      shelf: createBackupShelf(join(root, 'shop', 'cache'), clock),
      clock,
      tools: async () => server.tools,
    }),
    rows: { db0: DOCUMENTS + 7 },
    marker: async () => String(await server.run(0, ['GET', 'marker'])),
    damage: async () => {
      await server.run(0, ['SET', 'marker', 'two'], ['DEL', 'tags'], ['HSET', 'user:1', 'name', 'Bob']);
    },
    beside: async () => ((await server.run(SPARE, ['DBSIZE'])) === 0 ? [] : [`db${SPARE}`]),
    session: async () => {
      const client = createClient({
        password: server.password,
        name: 'writer',
        socket: { host: '127.0.0.1', port: server.port },
      });
      client.on('error', () => undefined);
      await client.connect();
      await client.set('document:1', 'written');
      return { close: async () => await client.close() };
    },
    file: ({ folder, manifest }) => join(folder, manifest.file.name),
    password: server.password,
    obstruct: async () => {
      await server.run(SPARE, ['SET', 'somebody', 'else']);
      return async () => void (await server.run(SPARE, ['DEL', 'somebody']));
    },
    untilRestoring: async () => {
      while (Number(await server.run(SPARE, ['DBSIZE'])) < 2) await new Promise((resolve) => setImmediate(resolve));
    },
    stop: async () => await rm(root, { recursive: true, force: true }),
  };
}
