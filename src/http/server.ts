import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import { BackstayError } from '../errors/index.ts';
import type { CertificatePair } from './certificate.ts';
import type { App } from './context.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls?: CertificatePair;
}

export interface Listening {
  readonly port: number;
  readonly url: string;
  /** Only with TLS: serves another certificate from the next connection on. @throws SERVICE_INVALID: then nothing has changed */
  readonly renew?: (pair: CertificatePair) => void;
  /** Takes no more; what is being answered has so many milliseconds, then its connection is cut. */
  close(graceMs: number): Promise<void>;
}

/** Milliseconds in which a request has to have come in whole: slow senders hold no connection for long. Answers may take longer. */
const REQUEST_MS = 60_000;

/** `makeApp` is told the port: which names are ours depends on it. @throws LISTEN_FAILED, SERVICE_INVALID for a certificate that is none */
export async function listen(options: ListenOptions, makeApp: (port: number) => App): Promise<Listening> {
  const { host, port, tls } = options;
  const secure = tls === undefined ? undefined : createTlsServer(usable(tls));
  const server = secure ?? createServer();
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
    ...(secure === undefined ? {} : { renew: (pair) => secure.setSecureContext(usable(pair)) }),
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

/** What servers and contexts are made from, once it is known that they can be. @throws SERVICE_INVALID */
function usable({ cert, key }: CertificatePair) {
  const options = { cert, key, minVersion: 'TLSv1.2' } as const;
  const text = 'The certificate and the key that tls names cannot be used together.';
  try {
    createSecureContext(options);
    // An empty file is left out there without a word, and every connection would fail.
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return options;
  } catch (cause) {
    throw new BackstayError('SERVICE_INVALID', text, { cause });
  }
  throw new BackstayError('SERVICE_INVALID', text);
}
