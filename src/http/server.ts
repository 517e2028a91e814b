import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { BackstayError } from '../errors/index.ts';
import type { App } from './context.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface Listening {
  readonly port: number;
  readonly url: string;
  /** Takes no more; what is being answered has so many milliseconds, then its connection is cut. */
  close(graceMs: number): Promise<void>;
}

/** Milliseconds in which a request has to have come in whole: slow senders hold no connection for long. Answers may take longer. */
const REQUEST_MS = 60_000;

/** `makeApp` is told the port: which names are ours depends on it. @throws LISTEN_FAILED, SERVICE_INVALID for a certificate that is none */
export async function listen(options: ListenOptions, makeApp: (port: number) => App): Promise<Listening> {
  const { host, port, tls } = options;
  const server = tls === undefined ? createServer() : secureServer(tls);
  server.requestTimeout = REQUEST_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new BackstayError('LISTEN_FAILED', `${host}:${port} cannot be listened on (${error.code ?? error.name}).`, {
          cause: error,
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
  const at = (server.address() as AddressInfo).port;
  const app = makeApp(at);
  let isClosing = false;
  server.on('request', (_request, response) => {
    // A connection that is kept for the next request would keep us.
    response.once('close', () => {
      if (isClosing) setImmediate(() => server.closeIdleConnections());
    });
  });
  const answer = getRequestListener(app.fetch);
  server.on('request', (request, response) => void answer(request, response));
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    port: at,
    url: `${tls === undefined ? 'http' : 'https'}://${name}:${at}`,
    close: async (graceMs) => {
      isClosing = true;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

function secureServer(tls: NonNullable<ListenOptions['tls']>): ReturnType<typeof createTlsServer> {
  try {
    return createTlsServer({ ...tls, minVersion: 'TLSv1.2' });
  } catch (cause) {
    throw new BackstayError('SERVICE_INVALID', 'The certificate and the key that tls names cannot be used together.', {
      cause,
    });
  }
}
