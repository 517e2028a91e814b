import { z } from 'zod';
import type { Neo4jStoreSetting } from '../../model/index.ts';
import { flag, isOn, text } from '../fields.ts';
import { toPattern } from '../pattern.ts';
import { common, type Place, placed, server } from './common.ts';

export const neo4jStore = z.strictObject(
  {
    ...common,
    kind: z.literal('neo4j'),
    connection: z.strictObject(
      { ...server, database: text.default('neo4j'), tls: flag.exactOptional() },
      { error: '{host, port or via, database?, user, password, tls}' },
    ),
  },
  { error: '{name, kind, connection, tables?, writers?}' },
);

export function toNeo4jStore({ connection, ...rest }: z.output<typeof neo4jStore>, place: Place): Neo4jStoreSetting {
  const { tls, ...others } = placed(connection, place);
  return {
    ...rest,
    writers: rest.writers.map(toPattern),
    connection: { ...others, ...(tls === undefined ? {} : { tls: isOn(tls) }) },
  };
}
