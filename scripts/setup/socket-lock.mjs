/**
 * One process at a time, on this machine, for Node 18 and later without packages. src/toolchain/lock.ts is the same idea
 * for the product, which cannot be loaded yet when this runs: a listening Unix socket is the lock. The kernel removes it
 * with its process, also after `kill -9`, and whoever waits holds a connection that ends at that moment.
 */
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export async function withSocketLock(key, { onWait, work }) {
  const digest = createHash('sha256').update(`${userInfo().uid}\n${key}`).digest('hex').slice(0, 32);
  const abstract = process.platform === 'linux';
  const address = abstract ? `\0backstay-setup-${digest}` : join(tmpdir(), `backstay-setup-${digest}.sock`);
  const waiting = new Set();
  let server = await listen(address, waiting);
  while (server === undefined) {
    const answered = await holderGone(address, onWait);
    // A socket file that nobody answers on was left by a killed process.
    if (!answered && !abstract) rmSync(address, { force: true });
    server = await listen(address, waiting);
  }
  try {
    return await work();
  } finally {
    for (const socket of waiting) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

function listen(address, waiting) {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      waiting.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => waiting.delete(socket));
    });
    server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(address, () => resolve(server));
  });
}

function holderGone(address, onWait) {
  return new Promise((resolve) => {
    let answered = false;
    const socket = connect(address);
    socket.once('connect', () => {
      answered = true;
      onWait();
    });
    socket.on('error', () => socket.destroy());
    socket.resume();
    socket.once('close', () => resolve(answered));
  });
}
