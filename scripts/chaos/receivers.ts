import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One call that asked for an effect, as its receiver saw it. */
export interface Call {
  readonly path: string;
  /** `idempotency-key`: by it a receiver tells a repeat from a second wish. */
  readonly key: string | undefined;
  readonly body: string;
}

/** What the hooks of the stack reach: an ingest that can be paused, a webhook and an issue API, with logs of their own. */
export interface Receivers {
  readonly url: string;
  readonly token: string;
  readonly calls: readonly Call[];
  /** Calls of this path get their answer only after so long, milliseconds; 0: at once. */
  slow(path: string, ms: number): void;
  close(): Promise<void>;
}

export async function startReceivers(): Promise<Receivers> {
  const calls: Call[] = [];
  const token = 'ghp_chaos_on_loopback';
  const slowness = new Map<string, number>();
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const path = request.url?.split('?', 1)[0] ?? '';
      if (request.method !== 'GET') {
        const key = request.headers['idempotency-key'];
        calls.push({ path, key: typeof key === 'string' ? key : undefined, body });
      }
      setTimeout(() => answer(request, response, path), slowness.get(path) ?? 0);
    });
  });
  const answer = (request: IncomingMessage, response: ServerResponse, path: string): void => {
    const issues = (): object[] =>
      calls.filter((call) => call.path === path).map(({ body }) => JSON.parse(body) as object);
    const isIssues = path.startsWith('/repos/');
    response.writeHead(isIssues && request.method === 'POST' ? 201 : 200, { 'content-type': 'application/json' });
    const listed = request.method === 'GET' ? issues().toReversed() : { html_url: `http://issues.example${path}/1` };
    response.end(JSON.stringify(isIssues ? listed : { status: 'ok' }));
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    calls,
    slow: (path, ms) => void slowness.set(path, ms),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
