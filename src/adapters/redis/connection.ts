import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { RedisStoreSetting } from '../../model/index.ts';

/** By which sessions of ours are told from others. */
export const CLIENT_NAME = 'backstay';

const CONNECT_MS = 10_000;

export interface Access {
  readonly connection: RedisStoreSetting['connection'];
  readonly password: string | undefined;
}

/** What a server answers; texts are bytes, for keys and values need not be text. */
export type Reply = Buffer | number | null | Error | readonly Reply[];
export type Argument = string | Buffer;

/** One connection, on which commands are carried out in the order in which they are given. */
export interface Link {
  /** @throws the server's own error */
  send(...command: readonly Argument[]): Promise<Reply>;
  /** Several in one go. Every answer is there when it resolves, errors among them; it rejects when the connection is cut. */
  pipeline(commands: readonly (readonly Argument[])[]): Promise<readonly Reply[]>;
}

/**
 * A connection of its own to one logical database, closed when the work ends or is told to stop.
 * @throws STORE_UNREACHABLE when it cannot be made or is cut, STORE_FAILED with the server's own words for what it refuses
 */
export async function connected<T>(
  access: Access,
  database: number,
  work: (link: Link) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const { connection, password } = access;
  signal?.throwIfAborted();
  try {
    return await linked({ ...placeOf(connection), ...login(access) }, work, database, signal);
  } catch (error) {
    signal?.throwIfAborted();
    if (isBackstayError(error) || !(error instanceof Error)) throw error;
    throw toldOf(connection, error, password);
  }
}

export interface Place {
  readonly socket: { readonly path: string } | { readonly host: string; readonly port: number; readonly tls?: true };
  readonly username?: string;
  readonly password?: string;
}

/** As `connected`, with what the client itself throws. */
export async function linked<T>(
  place: Place,
  work: (link: Link) => Promise<T>,
  database = 0,
  signal?: AbortSignal,
): Promise<T> {
  const { createClient, RESP_TYPES } = await import('@redis/client');
  const client = createClient({
    ...place,
    socket: { ...place.socket, connectTimeout: CONNECT_MS, reconnectStrategy: false } as never,
    database,
    name: CLIENT_NAME,
    RESP: 2,
    disableClientInfo: true,
    disableOfflineQueue: true,
    commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.SIMPLE_STRING]: Buffer } },
  });
  // A server that goes away fails the command at work; without a listener it would end the process.
  client.on('error', () => undefined);
  const destroy = (): void => {
    if (client.isOpen) client.destroy();
  };
  const send: Link['send'] = async (...command) => await client.sendCommand<Reply>([...command]);
  const pipeline: Link['pipeline'] = async (commands) =>
    await Promise.all(
      commands.map(
        async (command) =>
          await send(...command).catch((error: unknown) => {
            if (isAnswer(error)) return error;
            throw error;
          }),
      ),
    );
  try {
    await client.connect();
    signal?.addEventListener('abort', destroy, { once: true });
    return await work({ send, pipeline });
  } finally {
    signal?.removeEventListener('abort', destroy);
    destroy();
  }
}

/** Whether the server answered with an error, as opposed to not at all. Its words begin with a code in capitals. */
export function isAnswer(error: unknown): error is Error {
  return error instanceof Error && /^-?[A-Z]{2,} /.test(error.message);
}

export function textOf(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('utf8') : typeof reply === 'number' ? String(reply) : '';
}

export function listOf(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? (reply as readonly Reply[]) : [];
}

/** Says which server and database, and never the password. */
export function describeConnection({ host, port, user, via, database }: RedisStoreSetting['connection']): string {
  const who = user === undefined ? '' : `${user}@`;
  if (via !== undefined) return `${who}service/${via.service}:${via.port}/${database}`;
  if (host?.startsWith('/')) return `${who}${host}/${database}`;
  return `${who}${host ?? '127.0.0.1'}:${port ?? 6379}/${database}`;
}

/** What redis-cli is told in its arguments: everything but the password. */
export function argumentsOf({ host, port, user, tls }: RedisStoreSetting['connection']): readonly string[] {
  const place = host?.startsWith('/') ? ['-s', host] : ['-h', host ?? '127.0.0.1', '-p', String(port ?? 6379)];
  return [...place, ...(user === undefined ? [] : ['--user', user]), ...(tls === true ? ['--tls'] : [])];
}

function placeOf({ host, port, tls }: RedisStoreSetting['connection']): Pick<Place, 'socket'> {
  if (host?.startsWith('/')) return { socket: { path: host } };
  return { socket: { host: host ?? '127.0.0.1', port: port ?? 6379, ...(tls === true ? { tls } : {}) } };
}

function login({ connection, password }: Access): Pick<Place, 'username' | 'password'> {
  if (password === undefined) return {};
  return { password, ...(connection.user === undefined ? {} : { username: connection.user }) };
}

function toldOf(connection: Access['connection'], error: Error, password: string | undefined): BackstayError {
  const server = describeConnection(connection);
  const words = password === undefined || password === '' ? error.message : error.message.replaceAll(password, '…');
  const isRefusedLogin = /^(WRONGPASS|NOAUTH|ERR (AUTH|Client sent AUTH))/.test(words);
  if (isAnswer(error) && !isRefusedLogin)
    return new BackstayError('STORE_FAILED', `${server}: ${words}`, { details: { server } });
  return new BackstayError('STORE_UNREACHABLE', `${server}: ${words}`, {
    ...(isRefusedLogin ? { next: 'Look at the user and at the password that the stack file names.' } : {}),
    details: { server },
  });
}
