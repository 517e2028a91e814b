import { z } from 'zod';
import type { KeySource, PasswordSource } from '../../model/index.ts';
import { keySource, namespace, patterns, text, textList } from '../fields.ts';

export const name = z
  .string({ error: 'a name' })
  .regex(/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/, { error: 'a name of lower-case letters, digits and -' });

/** Where a server is and as whom it is asked: the same for every kind. */
export const server = {
  host: text.exactOptional().describe('Name or address; for PostgreSQL also the folder of a Unix socket.'),
  port: z.int({ error: 'a port number' }).min(1).max(65_535).exactOptional(),
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
} as const;

/** What every store has. */
export const common = {
  name,
  tables: textList.default([]).describe('What is told of its contents. Default: all. Everything is counted anyhow.'),
  writers: patterns
    .default([])
    .describe('Workloads that write to it: scaled to zero, and proven gone, before its data is exchanged.'),
  readers: textList
    .exactOptional()
    .describe('Users or applications (* as wildcard) whose sessions may stay while the writers are gone.'),
} as const;

/** What paths and keys in a stack file are relative to. */
export interface Place {
  path(path: string): string;
  source(source: KeySource): KeySource;
}

export function placed<T extends { readonly password?: PasswordSource }>(connection: T, place: Place): T {
  const { password } = connection;
  if (password === undefined || 'secret' in password) return connection;
  return { ...connection, password: place.source(password) };
}
