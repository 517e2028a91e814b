import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** Answers of an API server that a real one gives only on bad days. */
export interface FakeApiServer {
  readonly url: string;
  /** `METHOD path` of every request, in order. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export type Handler = (request: IncomingMessage, response: ServerResponse, path: URL) => void;

/** Knows ConfigMaps in `/api/v1`, in the plain discovery of old servers; everything else is the handler's. */
export async function fakeApiServer(handler: Handler): Promise<FakeApiServer> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const discovery: Record<string, unknown> = {
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/api/v1': {
      kind: 'APIResourceList',
      resources: [
        { name: 'configmaps', kind: 'ConfigMap', namespaced: true, verbs: ['list', 'create'] },
        { name: 'configmaps/status', kind: 'ConfigMap', namespaced: true, verbs: ['get'] },
      ],
    },
    '/apis': {
      kind: 'APIGroupList',
      groups: [
        { name: 'example.com', preferredVersion: { version: 'v2' }, versions: [{ version: 'v1' }, { version: 'v2' }] },
        { name: 'broken.example.com', versions: [{ version: 'v1' }] },
      ],
    },
    '/apis/example.com/v1': {
      kind: 'APIResourceList',
      resources: [
        { name: 'widgets', kind: 'Widget', namespaced: true, verbs: ['list'] },
        { name: 'olds', kind: 'Old', namespaced: false, verbs: ['list'] },
      ],
    },
    '/apis/example.com/v2': {
      kind: 'APIResourceList',
      resources: [{ name: 'widgets', kind: 'Widget', namespaced: true, verbs: ['list'] }],
    },
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://fake');
    requests.push(`${request.method} ${path.pathname}`);
    const known = discovery[path.pathname];
    if (known !== undefined) answer(response, 200, known);
    else if (path.pathname.startsWith('/apis/broken')) answer(response, 404, status(404, 'NotFound', 'gone'));
    else handler(request, response, path);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export function answer(
  response: ServerResponse,
  code: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export function status(code: number, reason: string, message: string, details: object = {}): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, details };
}
