import { createServer, request, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { startConnectProxy } from '../../../../src/sandbox/node/network/connect-proxy.ts';
import { startIngressListener } from '../../../../src/sandbox/node/network/ingress-listener.ts';
import type { Endpoint, Route } from '../../../../src/sandbox/node/network/routing-table.ts';

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function backend(listener: RequestListener): Promise<Server & { endpoint: Endpoint }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(() => new Promise((resolve) => (server.closeAllConnections(), server.close(() => resolve()))));
  return Object.assign(server, { endpoint: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } });
}

/** A port on which nobody listens any more. */
async function deadEndpoint(): Promise<Endpoint> {
  const server = await backend(() => undefined);
  await undo.pop()?.();
  return server.endpoint;
}

const ask = (
  port: number,
  options: { path?: string; host?: string; method?: string; body?: string; headers?: Record<string, string> },
): Promise<{ status: number; body: string; headers: Record<string, unknown> }> =>
  new Promise((resolve, reject) => {
    const headers = { host: options.host ?? 'a.test', ...options.headers };
    const sent = request(
      { host: '127.0.0.1', port, path: options.path ?? '/', method: options.method ?? 'GET', headers, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => (body += part));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
      },
    );
    sent.on('error', reject);
    sent.end(options.body);
  });

/** Everything a raw connection says until it closes, after sending `text`. */
const raw = (port: number, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let said = '';
    socket.on('data', (chunk) => (said += chunk.toString()));
    socket.on('close', () => resolve(said));
    socket.on('error', reject);
  });

const ok = (...endpoints: Endpoint[]): Route => ({ ok: true, endpoints });

describe('the Ingress listener', () => {
  const listen = async (router: (host: string, path: string) => Route | undefined): Promise<number> => {
    const listener = await startIngressListener(0, router);
    undo.push(async () => await listener.close());
    return listener.port;
  };

  test('passes method, path, query, body and answer through, and says for whom it forwards', async () => {
    const server = await backend((incoming, response) => {
      let body = '';
      incoming.on('data', (part: Buffer) => (body += part.toString()));
      incoming.on('end', () => {
        response
          .writeHead(201, { 'x-own': 'yes' })
          .end(JSON.stringify({ method: incoming.method, url: incoming.url, body, headers: incoming.headers }));
      });
    });
    const port = await listen((host, path) => (host === 'a.test' && path === '/x/y' ? ok(server.endpoint) : undefined));
    const answer = await ask(port, { path: '/x/y?q=1', method: 'POST', body: 'hello' });
    expect(answer).toMatchObject({ status: 201, headers: { 'x-own': 'yes' } });
    expect(JSON.parse(answer.body)).toMatchObject({
      method: 'POST',
      url: '/x/y?q=1',
      body: 'hello',
      headers: {
        host: 'a.test',
        'x-forwarded-host': 'a.test',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
      },
    });
  });

  test('answers 404 without a rule, 503 without a ready endpoint, 502 when none accepts', async () => {
    const dead = await deadEndpoint();
    const port = await listen((_host, path) =>
      path === '/none'
        ? undefined
        : path === '/unready'
          ? { ok: false, why: 'unavailable', reason: 'nothing ready' }
          : ok(dead),
    );
    expect(await ask(port, { path: '/none' })).toMatchObject({ status: 404 });
    expect(await ask(port, { path: '/unready' })).toMatchObject({
      status: 503,
      body: expect.stringContaining('nothing ready'),
    });
    expect(await ask(port, { path: '/dead' })).toMatchObject({ status: 502 });
  });

  test('goes on to the next endpoint when the first does not accept, with the body whole', async () => {
    const server = await backend((incoming, response) => void incoming.pipe(response));
    const dead = await deadEndpoint();
    const port = await listen(() => ok(dead, server.endpoint));
    const body = 'x'.repeat(200_000);
    expect(await ask(port, { method: 'POST', body })).toMatchObject({ status: 200, body });
  });

  test('hands an answer on while it is still being made', async () => {
    let finish: () => void = () => undefined;
    const server = await backend((_incoming, response) => {
      response.write('first');
      finish = () => response.end('last');
    });
    const port = await listen(() => ok(server.endpoint));
    const text = await new Promise<string>((resolve) => {
      const sent = request({ host: '127.0.0.1', port, agent: false }, (response) => {
        let body = '';
        response.on('data', (part: Buffer) => {
          body += part.toString();
          if (body === 'first') finish();
        });
        response.on('end', () => resolve(body));
      });
      sent.end();
    });
    expect(text).toBe('firstlast');
  });

  test('passes upgrades through both ways', async () => {
    const server = await backend(() => undefined);
    server.on('upgrade', (_incoming, socket, head: Buffer) => {
      // What came with the request's own packet is part of the stream.
      socket.unshift(head);
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
      socket.once('data', (chunk: Buffer) => socket.end(`heard ${chunk.toString()}`));
    });
    const port = await listen(() => ok(server.endpoint));
    expect(
      await raw(port, 'GET / HTTP/1.1\r\nhost: a.test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nping'),
    ).toMatch(/101 Switching[\s\S]*heard ping$/);
  });
});

describe('the CONNECT proxy', () => {
  const proxied = async (routes: Record<string, Route>): Promise<number> => {
    const proxy = await startConnectProxy();
    undo.push(async () => await proxy.close());
    proxy.setResolver({
      route: (host) => routes[host] ?? { ok: false, why: 'unknown', reason: `no ${host}` },
      addresses: (host) => (host === 'web' ? ['10.96.0.9'] : []),
    });
    return Number(proxy.address.split(':')[1]);
  };
  const get = 'GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';

  test('tunnels to the first endpoint that accepts', async () => {
    const server = await backend((_incoming, response) => response.end('from the pod'));
    const dead = await deadEndpoint();
    const port = await proxied({ 'web.shop.svc': ok(dead, server.endpoint) });
    expect(await raw(port, `CONNECT web.shop.svc:80 HTTP/1.1\r\nhost: web\r\n\r\n${get}`)).toMatch(
      /^HTTP\/1.1 200 [\s\S]*from the pod/,
    );
  });

  test('passes loopback untouched, whatever the routing table says', async () => {
    const server = await backend((_incoming, response) => response.end('from this machine'));
    const port = await proxied({});
    expect(await raw(port, `CONNECT 127.0.0.1:${server.endpoint.port} HTTP/1.1\r\nhost: x\r\n\r\n${get}`)).toContain(
      'from this machine',
    );
  });

  test.each([
    ['web.shop.svc:80', /^HTTP\/1.1 503 [\s\S]*nothing ready/],
    ['other.svc:80', /^HTTP\/1.1 502 [\s\S]*no other\.svc/],
    ['nonsense', /^HTTP\/1.1 400 /],
  ])('refuses %s with its reason', async (target, expected) => {
    const port = await proxied({ 'web.shop.svc': { ok: false, why: 'unavailable', reason: 'nothing ready' } });
    expect(await raw(port, `CONNECT ${target} HTTP/1.1\r\nhost: x\r\n\r\n`)).toMatch(expected);
  });

  test('answers the preload’s questions', async () => {
    const port = await proxied({
      web: ok({ host: '127.244.0.2', port: 8080 }),
      idle: { ok: false, why: 'unavailable', reason: 'nothing ready' },
    });
    expect(await ask(port, { path: '/resolve?host=web&port=80' })).toMatchObject({
      status: 200,
      body: '{"host":"127.244.0.2","port":8080}',
    });
    expect(await ask(port, { path: '/resolve?host=idle&port=80' })).toMatchObject({ status: 503 });
    expect(await ask(port, { path: '/resolve?host=no&port=80' })).toMatchObject({ status: 404 });
    expect(await ask(port, { path: '/addresses?host=web' })).toMatchObject({ status: 200, body: '["10.96.0.9"]' });
  });
});
