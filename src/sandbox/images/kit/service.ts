import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Faults, POD_ENV } from '../../contract.ts';
import { faultsReader } from './faults.ts';
import type { Metrics } from './metrics.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** What tests replace. */
export interface ServiceDeps {
  /** Default: every address; in a pod the preload makes that the pod's own. */
  readonly address?: string;
  /** 0: any free one. Default: `$PORT`, else 8000. */
  readonly port?: number;
  /** Takes one JSON line a request. Default: standard output. */
  readonly log?: (line: string) => void;
  /** 0 up to 1, decides which requests an error rate hits. */
  readonly random?: () => number;
}

export interface Ask {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Whole body; throws TooLarge. */
  readonly body: (limit?: number) => Promise<Buffer>;
}

/** An object is sent as JSON, text as plain text unless a content type is given. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Handler = (ask: Ask) => Answer | Promise<Answer>;

export interface Routes {
  /** `GET /health` and the like; no patterns. */
  readonly [methodAndPath: string]: Handler;
}

export interface ServiceParts {
  readonly name: string;
  readonly env: Env;
  readonly deps: ServiceDeps;
  readonly metrics: Metrics;
  readonly routes: Routes;
  /** Answers what no route names, instead of 404. */
  readonly otherwise?: Handler;
  /** Paths that faults leave alone, beside the probes'. */
  readonly calm?: readonly string[];
  /** Work before the port opens: connections, models. */
  readonly prepare?: () => Promise<void>;
  /** Work after the last answer. */
  readonly finish?: () => Promise<void>;
}

export interface Service {
  readonly name: string;
  /** Resolves with the base URL once requests are answered. */
  start(): Promise<string>;
  /** Finishes what is running, then ends. */
  stop(): Promise<void>;
}

/** A probe says what the process is; a slow or failing model must not look like a dead process. */
const PROBES = ['/health', '/live', '/ready', '/metrics', '/-/healthy', '/-/ready'];

export class TooLarge extends Error {
  override readonly name = 'TooLarge';
}

/** Reads the faults of this pod; the same file for the service and for the programs' own use. */
export function faultsOf(env: Env): () => Faults {
  return faultsReader(env[POD_ENV.faults]);
}

/** An HTTP service with routes, metrics, one log line a request, injected faults and a graceful end. */
export function createService(parts: ServiceParts): Service {
  const { name, env, deps, metrics } = parts;
  const faults = faultsOf(env);
  const random = deps.random ?? Math.random;
  const log = deps.log ?? ((line: string) => void process.stdout.write(`${line}\n`));
  const calm = new Set([...PROBES, ...(parts.calm ?? [])]);
  const routes: Routes = {
    'GET /metrics': () => ({
      status: 200,
      body: metrics.render(),
      headers: { 'content-type': 'text/plain; version=0.0.4' },
    }),
    ...parts.routes,
  };
  const paths = new Set(Object.keys(routes).map((route) => route.slice(route.indexOf(' ') + 1)));
  let stopping = false;

  const answerTo = async (ask: Ask): Promise<Answer> => {
    const { delayMs = 0, errorRate = 0 } = calm.has(ask.path) ? {} : faults();
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (errorRate > 0 && random() < errorRate) return { status: 500, body: { error: 'injected fault' } };
    const method = ask.method === 'HEAD' ? 'GET' : ask.method;
    const handler = routes[`${method} ${ask.path}`] ?? parts.otherwise;
    if (handler !== undefined) return await handler(ask);
    return paths.has(ask.path)
      ? { status: 405, body: { error: `${ask.method} is not served at ${ask.path}` } }
      : { status: 404, body: { error: `nothing is served at ${ask.path}` } };
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const started = performance.now();
    const url = new URL(request.url ?? '/', 'http://pod');
    const ask: Ask = {
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: (limit) => readBody(request, limit),
    };
    let answer: Answer;
    try {
      answer = await answerTo(ask);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      answer = { status: error instanceof TooLarge ? 413 : 500, body: { error: message } };
    }
    // A connection that stays open would outlive the service.
    if (stopping) response.setHeader('connection', 'close');
    send(response, ask.method, answer);
    const seconds = (performance.now() - started) / 1000;
    const path = paths.has(ask.path) ? ask.path : 'other';
    metrics.count('http_requests_total', 'Requests by code.', {
      code: String(answer.status),
      method: ask.method,
      path,
    });
    metrics.observe('http_request_duration_seconds', 'Time from request to answer.', seconds, { path });
    log(
      JSON.stringify({
        time: new Date().toISOString(),
        service: name,
        pod: env['HOSTNAME'],
        method: ask.method,
        path: ask.path,
        status: answer.status,
        ms: Math.round(seconds * 1e4) / 10,
      }),
    );
  };

  const server: Server = createServer((request, response) => void serve(request, response));
  return {
    name,
    async start() {
      await parts.prepare?.();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(deps.port ?? Number(env['PORT'] ?? 8000), deps.address ?? '0.0.0.0', resolve);
      });
      const { address, port } = server.address() as AddressInfo;
      return `http://${address}:${port}`;
    },
    async stop() {
      stopping = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await closed;
      await parts.finish?.();
    },
  };
}

function send(response: ServerResponse, method: string, { status, body, headers }: Answer): void {
  const isText = typeof body === 'string';
  const payload = body === undefined ? '' : isText ? body : `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json',
    'content-length': Buffer.byteLength(payload),
    ...headers,
  });
  response.end(method === 'HEAD' ? undefined : payload);
}

async function readBody(request: IncomingMessage, limit = 1024 * 1024): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > limit) throw new TooLarge(`the body is larger than ${limit} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
