import { z } from 'zod';
import type { SqlServerStoreSetting } from '../../model/index.ts';
import { text } from '../fields.ts';
import { toPattern } from '../pattern.ts';
import { common, type Place, placed, server } from './common.ts';

export const sqlServerStore = z.strictObject(
  {
    ...common,
    kind: z.literal('sqlserver'),
    connection: z.strictObject(
      { ...server, database: text },
      { error: '{database, host, port or via, user, password}' },
    ),
  },
  { error: '{name, kind, connection, tables?, writers?}' },
);

export function toSqlServerStore(
  { connection, ...rest }: z.output<typeof sqlServerStore>,
  place: Place,
): SqlServerStoreSetting {
  return {
    ...rest,
    writers: rest.writers.map(toPattern),
    connection: placed(connection, place),
  };
}
