import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export interface LockOptions {
  /** What the holder says of its work, while this process waits. */
  readonly onWait?: (holderSays: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * One process at a time does `work` for a key, on this machine. The lock is a listening Unix socket: the kernel takes it
 * away with its process, also after `kill -9`, so it cannot go stale, and those who wait hold a connection that ends at
 * that moment. On Linux its name is abstract (no file); elsewhere a socket file whose owner does not answer is removed.
 * It saves double work only: publishing is atomic without it.
 */
export async function withLock<T>(
  key: string,
  options: LockOptions,
  work: (tell: (message: string) => void) => Promise<T>,
): Promise<T> {
  const address = addressOf(key);
  const waiting = new Set<Socket>();
  let last = '';
  const greet = (socket: Socket) => {
    waiting.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => waiting.delete(socket));
    if (last !== '') socket.write(`${last}\n`);
  };
  let server = await listen(address, greet);
  while (server === undefined) {
    await holderGone(address, options);
    server = await listen(address, greet);
  }
  const held = server;
  try {
    return await work((message) => {
      last = message.replaceAll('\n', ' ');
      for (const socket of waiting) socket.write(`${last}\n`);
    });
  } finally {
    const closed = new Promise((resolve) => held.close(resolve));
    for (const socket of waiting) socket.destroy();
    await closed;
  }
}

function addressOf(key: string): string {
  const name = `backstay-${createHash('sha256').update(`${userInfo().uid}\n${key}`).digest('hex').slice(0, 32)}`;
  return process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`);
}

function listen(address: string, greet: (socket: Socket) => void): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer(greet);
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(address, () => resolve(server));
  });
}

async function holderGone(address: string, { onWait, signal }: LockOptions): Promise<void> {
  signal?.throwIfAborted();
  const reachable = await new Promise<boolean>((resolve, reject) => {
    const socket = connect(address);
    const abort = () => {
      socket.destroy();
      reject(signal?.reason);
    };
    let connected = false;
    signal?.addEventListener('abort', abort, { once: true });
    socket.once('connect', () => {
      connected = true;
      onWait?.('');
    });
    // Not readline: it throws the socket's errors again, where nobody can catch them.
    let rest = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onWait?.(line);
    });
    // An error is always followed by `close`; which of the two reasons it was does not matter, we try again.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      signal?.removeEventListener('abort', abort);
      resolve(connected);
    });
  });
  if (!reachable && !address.startsWith('\0')) await rm(address, { force: true });
}
