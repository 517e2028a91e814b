import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, ListenOptions, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { BackstayError } from '../../../errors/index.ts';
import { dialFirst, join, type Resolver, routeDial } from './dial.ts';

export interface ConnectProxy {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** The same proxy on a Unix socket: an API server's egress selector speaks plain HTTP on one only. */
  readonly socketPath: string | undefined;
  /** Until a resolver is set only loopback and pod addresses are served. */
  setResolver(resolver: Resolver): void;
  close(): Promise<void>;
}

/**
 * The way into the sandbox's network: HTTP CONNECT for the API server and for programs that speak it, and `GET /resolve`
 * for the preload, which then dials the endpoint itself, so that pods' traffic does not pass through the node.
 * Throws SANDBOX_FAILED when the port is taken.
 */
export async function startConnectProxy(
  options: { readonly port?: number; readonly socketPath?: string } = {},
): Promise<ConnectProxy> {
  let resolver: Resolver | undefined;
  const { port = 0, socketPath } = options;
  const tcp = await startServer(() => resolver, { port, host: '127.0.0.1' });
  const unix = socketPath === undefined ? undefined : await startServer(() => resolver, { path: socketPath });
  return {
    address: `127.0.0.1:${(tcp.server.address() as AddressInfo).port}`,
    socketPath,
    setResolver: (next) => {
      resolver = next;
    },
    close: async () => {
      await Promise.all([tcp.close(), unix?.close()]);
    },
  };
}

async function startServer(
  resolver: () => Resolver | undefined,
  where: ListenOptions,
): Promise<{ readonly server: Server; close(): Promise<void> }> {
  const sockets = new Set<Duplex>();
  const server = createServer((request, response) => answer(request, response, resolver()));
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    void tunnel(request, socket, head, resolver());
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new BackstayError('SANDBOX_FAILED', 'The CONNECT proxy could not listen.', { cause: error })),
    );
    server.listen(where, resolve);
  });
  return {
    server,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

async function tunnel(
  request: IncomingMessage,
  client: Socket,
  head: Buffer,
  resolver: Resolver | undefined,
): Promise<void> {
  client.on('error', () => client.destroy());
  const target = /^\[?([^\]]+?)\]?:(\d+)$/.exec(request.url ?? '');
  if (target === null) return refuse(client, 400, `"${request.url ?? ''}" is not HOST:PORT`);
  const namespace = request.headers['x-backstay-namespace'];
  const route = routeDial(
    resolver,
    target[1] ?? '',
    Number(target[2]),
    typeof namespace === 'string' ? namespace : undefined,
  );
  if (!route.ok) return refuse(client, route.why === 'unknown' ? 502 : 503, route.reason);
  try {
    const upstream = await dialFirst(route.endpoints);
    if (client.destroyed) {
      upstream.destroy();
      return;
    }
    client.setNoDelay(true);
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    if (head.length > 0) upstream.write(head);
    join(client, upstream);
  } catch (error) {
    refuse(client, 502, (error as Error).message);
  }
}

function refuse(client: Socket, status: number, reason: string): void {
  const text = status === 503 ? 'Service Unavailable' : status === 502 ? 'Bad Gateway' : 'Bad Request';
  const body = `${reason}\n`;
  const head = `HTTP/1.1 ${status} ${text}\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  client.end(head + body);
}

/**
 * `GET /resolve?host=gateway&port=80&namespace=production` → `{"host", "port"}`; `GET /addresses?host=…&namespace=…` →
 * `["10.96.3.1"]`. 404 for a name that is none, 503 for a Service with nothing ready; the body is the reason.
 */
function answer(request: IncomingMessage, response: ServerResponse, resolver: Resolver | undefined): void {
  const url = new URL(request.url ?? '/', 'http://proxy');
  const host = url.searchParams.get('host') ?? '';
  const namespace = url.searchParams.get('namespace') ?? 'default';
  const send = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (url.pathname === '/addresses') {
    const found = resolver?.addresses(host, namespace) ?? [];
    return found.length > 0 ? send(200, found) : send(404, { reason: `no Service answers to ${host}` });
  }
  if (url.pathname !== '/resolve') return send(404, { reason: 'this is a CONNECT proxy' });
  const route = routeDial(resolver, host, Number(url.searchParams.get('port')), namespace);
  if (route.ok) return send(200, route.endpoints[0]);
  send(route.why === 'unknown' ? 404 : 503, { reason: route.reason });
}
