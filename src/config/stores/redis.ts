import { z } from 'zod';
import type { RedisStoreSetting } from '../../model/index.ts';
import { flag, isOn } from '../fields.ts';
import { toPattern } from '../pattern.ts';
import { common, type Place, placed, server } from './common.ts';

const index = z.int({ error: 'the index of a logical database' }).min(0).max(65_535);

export const redisStore = z.strictObject(
  {
    ...common,
    kind: z.literal('redis'),
    connection: z
      .strictObject(
        {
          ...server,
          database: index.default(0),
          spare: index
            .default(15)
            .describe('A logical database that nobody uses: what is restored stands there until the exchange.'),
          tls: flag.exactOptional(),
        },
        { error: '{host, port or via, database?, spare?, user, password, tls}' },
      )
      .refine(({ database, spare }) => database !== spare, {
        error: 'a spare database that is not the live one',
        path: ['spare'],
      }),
  },
  { error: '{name, kind, connection, tables?, writers?}' },
);

export function toRedisStore({ connection, ...rest }: z.output<typeof redisStore>, place: Place): RedisStoreSetting {
  const { tls, ...others } = placed(connection, place);
  return {
    ...rest,
    writers: rest.writers.map(toPattern),
    connection: { ...others, ...(tls === undefined ? {} : { tls: isOn(tls) }) },
  };
}
