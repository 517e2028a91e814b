import pg from 'pg';
import { BackstayError } from '../../../errors/index.ts';
import { addressOf, nameOf } from './address.ts';

/** Milliseconds. They go to the server with the connection, so that no later SET of anybody lifts them. */
const STATEMENT_TIMEOUT = 10_000;
const LOCK_TIMEOUT = 5_000;
/** After this long without an answer the network is taken for cut; above the statement's own limit. */
const ANSWER_TIMEOUT = 15_000;
const CONNECT_TIMEOUT = 10_000;

/** One connection; gone for good when `lost` fires. */
export interface Connection {
  readonly lost: AbortSignal;
  query(text: string, values?: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Calls back with the payload of every notification on the channel. */
  listen(channel: string, tell: (payload: string) => void): Promise<void>;
  close(): Promise<void>;
}

/**
 * Connects once. TLS as libpq has it: `sslmode` in the URL, `prefer` when it says nothing.
 * @throws JOURNAL_UNREACHABLE without any part of the URL but host, port and database.
 */
export async function connect(url: string): Promise<Connection> {
  const mode = new URL(url).searchParams.get('sslmode') ?? 'prefer';
  if (mode !== 'prefer' && mode !== 'allow') return await connectAs(url, mode);
  try {
    return await connectAs(url, 'prefer');
  } catch (error) {
    if (!(error instanceof BackstayError) || error.details['tls'] !== 'not offered') throw error;
    return await connectAs(url, 'disable');
  }
}

async function connectAs(url: string, sslmode: string): Promise<Connection> {
  const client = clientFor(url, sslmode);
  const lost = new AbortController();
  // Without a listener an error of an idle connection would end the process.
  client.on('error', () => lost.abort());
  client.on('end', () => lost.abort());
  try {
    await client.connect();
    // Whatever else the server's owner wants of commits stays; not waiting for the disk at all is not for journals.
    await client.query(
      "SELECT set_config(name, 'on', false) FROM pg_settings WHERE name = 'synchronous_commit' AND setting = 'off'",
    );
  } catch (error) {
    await client.end().catch(() => undefined);
    throw unreachable(url, error);
  }
  return connectionOver(client, lost);
}

function clientFor(url: string, sslmode: string): pg.Client {
  const given = new URL(url);
  given.searchParams.set('sslmode', sslmode);
  given.searchParams.set('uselibpqcompat', 'true');
  const options = [
    given.searchParams.get('options') ?? '',
    `-c statement_timeout=${STATEMENT_TIMEOUT}`,
    `-c lock_timeout=${LOCK_TIMEOUT}`,
    `-c idle_in_transaction_session_timeout=${STATEMENT_TIMEOUT}`,
  ];
  given.searchParams.set('options', options.join(' ').trim());
  try {
    return new pg.Client({
      connectionString: given.href,
      application_name: 'backstay',
      connectionTimeoutMillis: CONNECT_TIMEOUT,
      query_timeout: ANSWER_TIMEOUT,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
  } catch (error) {
    throw unreachable(url, error);
  }
}

function connectionOver(client: pg.Client, lost: AbortController): Connection {
  return {
    lost: lost.signal,
    query: async (text, values = []) => {
      try {
        const { rows } = await client.query<Record<string, unknown>>(text, [...values]);
        return rows;
      } catch (error) {
        // Whatever was on its way may still arrive: nothing more is asked on this connection.
        if (isConnectionFailure(error)) lost.abort();
        throw error;
      }
    },
    listen: async (channel, tell) => {
      client.on('notification', (message) => {
        if (message.channel === channel) tell(message.payload ?? '');
      });
      await client.query(`LISTEN ${channel}`);
    },
    close: async () => {
      await client.end().catch(() => undefined);
    },
  };
}

/** SQLSTATE of an error that the server sent. */
export function stateOf(error: unknown): string | undefined {
  const code = error instanceof pg.DatabaseError ? error.code : undefined;
  return code === undefined || code === '' ? undefined : code;
}

/** What the driver says, without any code, when a connection ends in the middle. */
const BROKEN_OFF =
  /connection (terminated|error|ended)|read timeout|timeout expired|client (was|has) (been )?closed|not queryable/i;

/**
 * Whether the connection broke, so that nobody knows what became of a statement: no answer at all, or one of class 08 or
 * 57P (the server goes down, starts up, or ended the session). A server that became a standby counts as gone, too.
 */
export function isConnectionFailure(error: unknown): boolean {
  const state = stateOf(error);
  if (state !== undefined) return state.startsWith('08') || state.startsWith('57P') || state === '25006';
  if (!(error instanceof Error)) return false;
  return typeof (error as NodeJS.ErrnoException).code === 'string' || BROKEN_OFF.test(error.message);
}

export function unreachable(url: string, error: unknown): BackstayError {
  const where = nameOf(addressOf(url));
  const reason = reasonOf(error);
  const tls = reason.includes('does not support SSL') ? { tls: 'not offered' } : {};
  // The driver's error is no cause: nothing says that it keeps the password to itself.
  return new BackstayError('JOURNAL_UNREACHABLE', `the journal ${where} cannot be reached: ${reason}`, {
    details: { where, reason, retry: isConnectionFailure(error), ...tls },
  });
}

export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
