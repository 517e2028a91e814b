import { z } from 'zod';
import type { PostgresStoreSetting } from '../../model/index.ts';
import { text } from '../fields.ts';
import { toPattern } from '../pattern.ts';
import { common, type Place, placed, server } from './common.ts';
import { archive, toArchive } from './archive.ts';
import { migrations, toMigrations } from './migrations.ts';

export const postgresStore = z.strictObject(
  {
    ...common,
    kind: z.literal('postgres'),
    connection: z.strictObject(
      {
        ...server,
        database: text,
        service: text
          .exactOptional()
          .describe('Section of pg_service.conf: host, port, user and the rest come from there.'),
        sslmode: z.enum(['disable', 'prefer', 'require', 'verify-ca', 'verify-full']).exactOptional(),
        sslrootcert: text.exactOptional().describe('File of the certificates that are trusted.'),
      },
      { error: '{database, host, port or via, user, password, sslmode, sslrootcert}' },
    ),
    migrations: migrations.exactOptional(),
    archive: archive.exactOptional(),
  },
  { error: '{name, kind, connection, tables?, writers?, migrations?, archive?}' },
);

export function toPostgresStore(
  { connection, migrations: raw, archive: past, ...rest }: z.output<typeof postgresStore>,
  place: Place,
): PostgresStoreSetting {
  const { sslrootcert, ...others } = placed(connection, place);
  return {
    ...rest,
    writers: rest.writers.map(toPattern),
    connection: { ...others, ...(sslrootcert === undefined ? {} : { sslrootcert: place.path(sslrootcert) }) },
    ...(raw === undefined ? {} : { migrations: toMigrations(raw, place) }),
    ...(past === undefined ? {} : { archive: toArchive(past, place) }),
  };
}
