import { z } from 'zod';
import type { DataStoreSetting, KeySource } from '../model/index.ts';
import { keySource, namespace, text, textList } from './fields.ts';

const name = z
  .string({ error: 'a name' })
  .regex(/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/, { error: 'a name of lower-case letters, digits and -' });

const connection = z.strictObject(
  {
    host: text.exactOptional().describe('Name, address, or the folder of a Unix socket. Default: as libpq has it.'),
    port: z.int({ error: 'a port number' }).min(1).max(65_535).exactOptional(),
    database: text,
    user: text.exactOptional(),
    via: z
      .strictObject(
        { service: text, port: z.union([z.int().min(1).max(65_535), text]), namespace: namespace.exactOptional() },
        { error: '{service, port, namespace?}' },
      )
      .exactOptional()
      .describe('A Service of the cluster, reached through the API server, instead of host and port.'),
    password: z
      .union([keySource, z.strictObject({ secret: text, key: text, namespace: namespace.exactOptional() })], {
        error: '{env: NAME}, {file: PATH} or {secret: NAME, key: KEY}, never the value itself',
      })
      .meta({ private: true })
      .exactOptional(),
    sslmode: z.enum(['disable', 'prefer', 'require', 'verify-ca', 'verify-full']).exactOptional(),
    sslrootcert: text.exactOptional().describe('File of the certificates that are trusted.'),
  },
  { error: '{database, host, port or via, user, password, sslmode, sslrootcert}' },
);

const store = z.strictObject(
  {
    name,
    kind: z.enum(['postgres'], { error: 'postgres' }),
    connection,
    tables: textList.default([]).describe('Tables whose rows are told. Default: all. Every table is counted anyhow.'),
  },
  { error: '{name, kind, connection, tables?}' },
);

export const stores = z
  .array(store, { error: 'a list of data stores' })
  .default([])
  .describe('The databases of the stack, as `backstay db` knows them.');

export function toStores(
  raw: z.output<typeof stores>,
  place: { path(path: string): string; source(source: KeySource): KeySource },
): readonly DataStoreSetting[] {
  return raw.map(({ connection: { password, sslrootcert, ...rest }, ...one }) => ({
    ...one,
    connection: {
      ...rest,
      ...(password === undefined ? {} : { password: 'secret' in password ? password : place.source(password) }),
      ...(sslrootcert === undefined ? {} : { sslrootcert: place.path(sslrootcert) }),
    },
  }));
}
