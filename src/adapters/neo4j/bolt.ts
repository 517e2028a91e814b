import type { Driver } from 'neo4j-driver';
import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { Neo4jStoreSetting } from '../../model/index.ts';

/** By which connections of ours are told from others. */
export const USER_AGENT = 'backstay';

const CONNECT_MS = 10_000;

export interface Access {
  readonly connection: Neo4jStoreSetting['connection'];
  readonly password: string | undefined;
}

/** Asks the database that the server serves by default. Integers come as numbers. */
export type Ask = (query: string, parameters?: Readonly<Record<string, unknown>>) => Promise<readonly Row[]>;
export type Row = Readonly<Record<string, unknown>>;

/**
 * A connection of its own, closed when the work ends or is told to stop. It asks the server's default database, for which
 * that is, is what an exchange changes; or the one that is named.
 * @throws STORE_UNREACHABLE, and STORE_FAILED with the server's own words for what it refuses
 */
export async function connected<T>(
  access: Access,
  work: (ask: Ask) => Promise<T>,
  signal?: AbortSignal,
  database?: string,
): Promise<T> {
  signal?.throwIfAborted();
  const { default: neo4j } = await import('neo4j-driver');
  const { connection, password } = access;
  const token = password === undefined ? undefined : neo4j.auth.basic(connection.user ?? 'neo4j', password);
  const driver: Driver = neo4j.driver(urlOf(connection), token, {
    userAgent: USER_AGENT,
    disableLosslessIntegers: true,
    connectionTimeout: CONNECT_MS,
    connectionAcquisitionTimeout: CONNECT_MS,
    maxTransactionRetryTime: 0,
    maxConnectionPoolSize: 1,
    telemetryDisabled: true,
  });
  const close = (): void => void driver.close();
  signal?.addEventListener('abort', close, { once: true });
  const ask: Ask = async (query, parameters = {}) => {
    const session = driver.session(database === undefined ? {} : { database });
    try {
      return (await session.run(query, parameters)).records.map((record) => record.toObject());
    } finally {
      await session.close();
    }
  };
  try {
    return await work(ask);
  } catch (error) {
    signal?.throwIfAborted();
    if (isBackstayError(error) || !(error instanceof Error) || !('code' in error)) throw error;
    throw toldOf(connection, error, password);
  } finally {
    signal?.removeEventListener('abort', close);
    await driver.close().catch(() => undefined);
  }
}

/** Says which server and database, and never the password. */
export function describeConnection({ host, port, user, via, database }: Access['connection']): string {
  const who = `${user ?? 'neo4j'}@`;
  if (via !== undefined) return `${who}service/${via.service}:${via.port}/${database}`;
  return `${who}${host ?? '127.0.0.1'}:${port ?? 7687}/${database}`;
}

/** Never by the server's own routing: behind a forwarded port its addresses mean nothing. */
function urlOf({ host, port, tls }: Access['connection']): string {
  const name = host?.includes(':') === true ? `[${host}]` : (host ?? '127.0.0.1');
  return `bolt${tls === true ? '+s' : ''}://${name}:${port ?? 7687}`;
}

function toldOf(connection: Access['connection'], error: Error, password: string | undefined): BackstayError {
  const code = String((error as Error & { readonly code?: unknown }).code);
  const server = describeConnection(connection);
  const words = password === undefined || password === '' ? error.message : error.message.replaceAll(password, '…');
  const details = { server, code };
  if (code.startsWith('Neo.ClientError.Security.'))
    return new BackstayError('STORE_UNREACHABLE', `${server}: ${words}`, {
      next: 'Look at the user and at the password that the stack file names.',
      details,
    });
  if (isAway(code)) return new BackstayError('STORE_UNREACHABLE', `${server}: ${words}`, { details, cause: error });
  return new BackstayError('STORE_FAILED', `${server}: ${words}`, { details, cause: error });
}

/** Whether another try may find it: nobody answers, or it is about to start or to stop. */
function isAway(code: string): boolean {
  return (
    /^(ServiceUnavailable|SessionExpired)$/.test(code) ||
    code.startsWith('Neo.TransientError.') ||
    /DatabaseUnavailable|DatabaseNotFound/.test(code)
  );
}

/** Whether it is only away; a login that was refused will be refused again, and three of them lock the account. */
export function isOnlyAway(error: unknown): boolean {
  if (!isBackstayError(error) || error.code !== 'STORE_UNREACHABLE') return false;
  const { code } = error.details;
  return typeof code === 'string' && isAway(code);
}
