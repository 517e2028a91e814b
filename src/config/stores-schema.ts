import { z } from 'zod';
import type { DataStoreSetting } from '../model/index.ts';
import type { Place } from './stores/common.ts';
import { neo4jStore, toNeo4jStore } from './stores/neo4j.ts';
import { postgresStore, toPostgresStore } from './stores/postgres.ts';
import { redisStore, toRedisStore } from './stores/redis.ts';
import { sqlServerStore, toSqlServerStore } from './stores/sqlserver.ts';

const store = z.discriminatedUnion('kind', [postgresStore, redisStore, neo4jStore, sqlServerStore], {
  error: 'a data store: {name, kind: postgres, redis, neo4j or sqlserver, connection, …}',
});

export const stores = z
  .array(store, { error: 'a list of data stores' })
  .default([])
  .describe('The databases of the stack, as `backstay db` knows them, in the order in which they are taken back.');

export function toStores(raw: z.output<typeof stores>, place: Place): readonly DataStoreSetting[] {
  return raw.map((one) => {
    switch (one.kind) {
      case 'postgres':
        return toPostgresStore(one, place);
      case 'redis':
        return toRedisStore(one, place);
      case 'neo4j':
        return toNeo4jStore(one, place);
      case 'sqlserver':
        return toSqlServerStore(one, place);
    }
  });
}
