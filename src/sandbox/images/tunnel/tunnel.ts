import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, createServer, isIP, type Socket } from 'node:net';

export interface Tunnel {
  /** The address of the database as the program is to be told it. */
  readonly url: string;
  close(): void;
}

/**
 * A door on loopback that leads to the host of an address through the node's CONNECT proxy (`127.0.0.1:PORT`). Programs that
 * are not Node do not know the names of Services; containers would get them from the cluster's DNS.
 */
export async function openTunnel(url: string, proxy: string): Promise<Tunnel> {
  const address = new URL(url);
  const wanted = `${address.hostname}:${address.port === '' ? '5432' : address.port}`;
  if (isIP(address.hostname) !== 0) return { url, close: () => undefined };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    connectThrough(proxy, wanted).then(
      (way) => {
        way.on('error', () => socket.destroy());
        socket.once('close', () => way.destroy());
        socket.pipe(way).pipe(socket);
      },
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
        socket.destroy();
      },
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  address.hostname = '127.0.0.1';
  address.port = String((server.address() as AddressInfo).port);
  return {
    url: address.href,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function connectThrough(proxy: string, wanted: string): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const [host, port] = proxy.split(':');
    const asked = request({ host, port, method: 'CONNECT', path: wanted, agent: false });
    asked.once('connect', ({ statusCode }, socket: Socket, head: Buffer) => {
      if (head.length > 0) socket.unshift(head);
      if (statusCode === 200) resolve(socket);
      else {
        socket.destroy();
        reject(new Error(`${wanted} cannot be reached: the node answers ${statusCode}`));
      }
    });
    asked.once('response', ({ statusCode }) =>
      reject(new Error(`${wanted} cannot be reached: the node answers ${statusCode}`)),
    );
    asked.once('error', reject);
    asked.end();
  });
}
