import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { BackstayError } from '../../../errors/index.ts';
import { dialFirst, join } from './dial.ts';
import type { Endpoint, Route } from './routing-table.ts';

export interface IngressListener {
  readonly port: number;
  close(): Promise<void>;
}

/** The route of a request by host and path; undefined when no rule matches. */
export type IngressRouter = (host: string, path: string) => Route | undefined;

const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

/** One HTTP listener for every Ingress. Throws SANDBOX_FAILED when the port is taken. */
export async function startIngressListener(port: number, router: IngressRouter): Promise<IngressListener> {
  const server = createServer((request, response) => {
    void serve(request, response, router);
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    void upgrade(request, socket, head, router);
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const message = `The Ingress listener could not listen on 127.0.0.1:${port}.`;
      reject(new BackstayError('SANDBOX_FAILED', message, { cause: error }));
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  const upgraded = new Set<Socket>();
  server.on('upgrade', (_request: IncomingMessage, socket: Socket) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of upgraded) socket.destroy();
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

async function serve(request: IncomingMessage, response: ServerResponse, router: IngressRouter): Promise<void> {
  const route = routeOf(request, router);
  if (route === undefined) return plain(response, 404, 'default backend - 404');
  if (!route.ok) return plain(response, 503, `503 Service Temporarily Unavailable: ${route.reason}`);
  try {
    await forward(request, response, route.endpoints);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else plain(response, 502, `502 Bad Gateway: ${(error as Error).message}`);
  }
}

/** Sends the request to the first endpoint that accepts a connection. The body is only read once one has. */
async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  endpoints: readonly Endpoint[],
): Promise<void> {
  const socket = await dialFirst(endpoints);
  await new Promise<void>((resolve, reject) => {
    const upstream = httpRequest({
      method: request.method,
      path: request.url,
      headers: forwardedHeaders(request),
      // Every request has a connection of its own: a kept one would outlive a switch of traffic.
      createConnection: () => socket,
      setHost: false,
    });
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, withoutHopByHop(answer.rawHeaders));
      answer.pipe(response);
      answer.once('error', reject);
      answer.once('aborted', () => response.destroy());
    });
    upstream.once('error', (error) => {
      socket.destroy();
      reject(error);
    });
    response.once('close', () => {
      upstream.destroy();
      socket.destroy();
      resolve();
    });
    request.pipe(upstream);
  });
}

async function upgrade(request: IncomingMessage, client: Socket, head: Buffer, router: IngressRouter): Promise<void> {
  client.on('error', () => client.destroy());
  const route = routeOf(request, router);
  if (!route?.ok) {
    client.end(
      `HTTP/1.1 ${route === undefined ? '404 Not Found' : '503 Service Unavailable'}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    );
    return;
  }
  try {
    const upstream = await dialFirst(route.endpoints);
    const lines = [`${request.method} ${request.url} HTTP/1.1`];
    for (let index = 0; index < request.rawHeaders.length; index += 2) {
      lines.push(`${request.rawHeaders[index]}: ${request.rawHeaders[index + 1]}`);
    }
    upstream.write(`${lines.join('\r\n')}\r\n\r\n`);
    if (head.length > 0) upstream.write(head);
    join(client, upstream);
  } catch {
    client.end('HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  }
}

function routeOf(request: IncomingMessage, router: IngressRouter): Route | undefined {
  const path = (request.url ?? '/').replace(/[?#].*$/s, '');
  return router(request.headers.host ?? '', path);
}

function forwardedHeaders(request: IncomingMessage): string[] {
  const client = request.socket.remoteAddress ?? '127.0.0.1';
  const before = request.headers['x-forwarded-for'];
  const headers = withoutHopByHop(request.rawHeaders, [
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-real-ip',
  ]);
  headers.push('x-forwarded-for', before === undefined ? client : `${String(before)}, ${client}`);
  headers.push('x-forwarded-host', request.headers.host ?? '', 'x-forwarded-proto', 'http', 'x-real-ip', client);
  headers.push('connection', 'close');
  // A body without a length came in chunks and goes on in chunks.
  if (request.headers['transfer-encoding'] !== undefined) headers.push('transfer-encoding', 'chunked');
  return headers;
}

function withoutHopByHop(raw: readonly string[], also: readonly string[] = []): string[] {
  const kept: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (!HOP_BY_HOP.includes(name.toLowerCase()) && !also.includes(name.toLowerCase()))
      kept.push(name, raw[index + 1] ?? '');
  }
  return kept;
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}
