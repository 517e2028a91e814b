import type { Client } from 'pg';
import { BackstayError, isBackstayError } from '../../../errors/index.ts';
import type { PostgresConnection } from '../../../model/index.ts';

/** Where sessions of ours are told from others: `backstay:RUN:EPOCH`. */
export const APPLICATION = 'backstay';

/** Milliseconds that a statement waits for a lock: longer, and those who queue behind it wait as well. */
export const LOCK_TIMEOUT_MS = 2_000;

export interface Access {
  readonly connection: PostgresConnection;
  readonly password: string | undefined;
  /** Told to the server as `application_name`. @default 'backstay' */
  readonly application?: string;
}

interface ConnectOptions {
  readonly database?: string;
  readonly statementTimeoutMs?: number;
}

type SslMode = NonNullable<PostgresConnection['sslmode']>;

/**
 * A connection of its own, closed when the work ends. Limits are startup options, so that nothing that runs within,
 * a migration's own RESET least of all, can lift them.
 * @throws STORE_UNREACHABLE when it cannot be made, STORE_FAILED with the server's own words for what it refuses.
 */
export async function connected<T>(
  access: Access,
  work: (client: Client) => Promise<T>,
  options: ConnectOptions = {},
): Promise<T> {
  const { connection } = access;
  const client = await opened(access, options);
  try {
    return await work(client);
  } catch (error) {
    if (isBackstayError(error) || !(error instanceof Error) || !('code' in error)) throw error;
    throw new BackstayError('STORE_FAILED', `${describeConnection(connection)}: ${error.message}`, {
      cause: error,
      details: { server: describeConnection(connection), code: String(error.code) },
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** As libpq: `prefer`, which is the default, encrypts with a server that can and goes without where it cannot. */
async function opened(access: Access, options: ConnectOptions): Promise<Client> {
  const { sslmode = 'prefer' } = access.connection;
  if (sslmode !== 'prefer') return await openedAs(access, options, sslmode);
  try {
    return await openedAs(access, options, 'prefer');
  } catch (error) {
    if (isBackstayError(error) && /does not support SSL/.test(error.message))
      return await openedAs(access, options, 'disable');
    throw error;
  }
}

async function openedAs(access: Access, options: ConnectOptions, sslmode: SslMode): Promise<Client> {
  const { Client: PgClient } = (await import('pg')).default;
  const { connection } = access;
  const limits = [`lock_timeout=${LOCK_TIMEOUT_MS}`, `statement_timeout=${options.statementTimeoutMs ?? 0}`];
  const client = new PgClient({
    ...(connection.host === undefined ? {} : { host: connection.host }),
    ...(connection.port === undefined ? {} : { port: connection.port }),
    ...(connection.user === undefined ? {} : { user: connection.user }),
    ...(access.password === undefined ? {} : { password: access.password }),
    ...(await tlsOf(connection, sslmode)),
    database: options.database ?? connection.database,
    application_name: access.application ?? APPLICATION,
    options: limits.map((limit) => `-c ${limit}`).join(' '),
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  // A server that goes away in mid-work fails the query at work; without a listener it would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw unreachable(connection, error);
  }
  return client;
}

/** What libpq's tools read; the password in their environment, which only this user and root can see. */
export function toolEnvironment({ connection, password, application }: Access): Readonly<Record<string, string>> {
  const known: Readonly<Record<string, string | undefined>> = {
    PGHOST: connection.host,
    PGPORT: connection.port?.toString(),
    PGUSER: connection.user,
    PGPASSWORD: password,
    PGSSLMODE: connection.sslmode,
    PGSSLROOTCERT: connection.sslrootcert,
    PGAPPNAME: application ?? APPLICATION,
    PGOPTIONS: `-c lock_timeout=${LOCK_TIMEOUT_MS}`,
    PGCONNECT_TIMEOUT: '10',
  };
  return Object.fromEntries(
    Object.entries(known).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

async function tlsOf(
  { sslrootcert, host }: PostgresConnection,
  sslmode: SslMode,
): Promise<{ readonly ssl: object | false }> {
  if (sslmode === 'disable' || host?.startsWith('/') === true) return { ssl: false };
  const { readFile } = await import('node:fs/promises');
  const ca = sslrootcert === undefined ? {} : { ca: await readFile(sslrootcert, 'utf8') };
  // As libpq: `require` encrypts and trusts whoever answers, unless it is told whom to trust.
  const proves = sslmode === 'verify-ca' || sslmode === 'verify-full' || sslrootcert !== undefined;
  const anyName = sslmode === 'verify-full' ? {} : { checkServerIdentity: () => undefined };
  return { ssl: { rejectUnauthorized: proves, ...ca, ...anyName } };
}

/** Says which server, and never the password. */
export function describeConnection({ host, port, database, user, via }: PostgresConnection): string {
  if (via !== undefined) return `${user === undefined ? '' : `${user}@`}service/${via.service}:${via.port}/${database}`;
  return `${user === undefined ? '' : `${user}@`}${host ?? 'localhost'}${port === undefined ? '' : `:${port}`}/${database}`;
}

function unreachable(connection: PostgresConnection, error: unknown): BackstayError {
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  const refused = code?.startsWith('28') === true;
  return new BackstayError('STORE_UNREACHABLE', `${describeConnection(connection)}: ${message ?? String(error)}`, {
    ...(refused ? { next: 'Look at the user and at the password that the stack file names.' } : {}),
    details: { server: describeConnection(connection), code: code ?? null },
  });
}

/** `"name"`, for statements that take no parameters. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `'text'`, for statements that take no parameters. */
export function literal(text: string): string {
  const escaped = text.replaceAll("'", "''");
  return text.includes('\\') ? ` E'${escaped.replaceAll('\\', '\\\\')}'` : `'${escaped}'`;
}
