import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ContainerLog } from '../logs/container-log.ts';
import { formatLine, type LogQuery, parseLogQuery, selectLines } from '../logs/log-query.ts';
import type { PodManager } from '../pods/pod-manager.ts';
import { serveExec } from './exec.ts';
import { servePortForward } from './port-forward.ts';

export interface KubeletCerts {
  /** PEM text or a path to it. */
  readonly cert: string;
  readonly key: string;
  /** With it, only clients with a certificate of this authority are served. */
  readonly ca?: string;
}

export interface KubeletServer {
  readonly port: number;
  close(): Promise<void>;
}

/** What the API server asks of a node: logs, exec, port forwards, health. On 127.0.0.1 and a free port. */
export async function startKubeletServer(certs: KubeletCerts, pods: PodManager): Promise<KubeletServer> {
  const mutual = certs.ca === undefined ? {} : { ca: pem(certs.ca), requestCert: true, rejectUnauthorized: true };
  const server = createServer({ cert: pem(certs.cert), key: pem(certs.key), ...mutual }, (request, response) => {
    try {
      route(request, response, pods);
    } catch (error) {
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    }
  });
  server.on('upgrade', (request, socket, head) => {
    const serve = request.url?.startsWith('/portForward/') === true ? servePortForward : serveExec;
    serve(request, socket, head, pods);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

function route(request: IncomingMessage, response: ServerResponse, pods: PodManager): void {
  const url = new URL(request.url ?? '/', 'https://node');
  const [kind, namespace = '', pod = '', container = ''] = url.pathname.split('/').slice(1).map(decodeURIComponent);
  if (kind === 'healthz') return text(response, 200, 'ok');
  if (kind === 'pods') {
    const items = pods.workers().map((worker) => worker.pod);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items }));
    return;
  }
  if (kind !== 'containerLogs') return text(response, 404, '404 page not found');
  const worker = pods.find(namespace, pod);
  if (worker === undefined) return text(response, 404, `pod "${pod}" not found`);
  const query = parseLogQuery(url.searchParams);
  if (typeof query === 'string') return text(response, 400, query);
  const log = worker.logs.find(container, query.previous);
  if (log !== undefined) return sendLog(response, log, query);
  const known = worker.runner(container) !== undefined;
  const which = query.previous ? 'previous terminated container' : 'container';
  const why = known
    ? `${which} "${container}" in pod "${pod}" not found`
    : `container ${container} is not valid for pod ${pod}`;
  text(response, 400, why);
}

function sendLog(response: ServerResponse, log: ContainerLog, query: LogQuery): void {
  response.writeHead(200, { 'content-type': 'text/plain' });
  let left = query.limitBytes ?? Number.POSITIVE_INFINITY;
  const write = (line: Parameters<typeof formatLine>[0]): void => {
    const bytes = Buffer.from(formatLine(line, query));
    if (left > 0) response.write(bytes.length <= left ? bytes : bytes.subarray(0, left));
    left -= bytes.length;
    if (left <= 0) response.end();
  };
  // Read and subscribed in one go: no line can come in between.
  for (const line of selectLines(log.lines(), query, Date.now())) write(line);
  if (!query.follow || log.ended || left <= 0) {
    response.end();
    return;
  }
  response.flushHeaders();
  const end = (): void => {
    log.emitter.off('line', write).off('end', end);
    response.end();
  };
  log.emitter.on('line', write).on('end', end);
  response.on('close', end);
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${body}\n`);
}

function pem(value: string): string {
  return value.includes('-----BEGIN') ? value : readFileSync(value, 'utf8');
}
