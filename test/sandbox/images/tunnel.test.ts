import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { openTunnel } from '../../../src/sandbox/images/tunnel/tunnel.ts';
import { type ConnectProxy, startConnectProxy } from '../../../src/sandbox/node/network/connect-proxy.ts';

let proxy: ConnectProxy | undefined;
let server: Server | undefined;
afterEach(async () => {
  await proxy?.close();
  server?.close();
});

const connectTo = (url: string) => {
  const { hostname, port } = new URL(url);
  return createConnection({ host: hostname, port: Number(port) });
};

test('leads to a Service by its name, and takes nothing else of the address away', async () => {
  server = createServer((socket) => socket.end('well met')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  proxy = await startConnectProxy();
  proxy.setResolver({
    route: (host) =>
      host === 'postgres.shop.svc'
        ? { ok: true, endpoints: [{ host: '127.0.0.1', port }] }
        : { ok: false, why: 'unknown', reason: `there is no ${host}` },
    addresses: () => [],
  });
  const tunnel = await openTunnel(
    'postgresql://ada:p%40ss@postgres.shop.svc:5432/books?sslmode=disable',
    proxy.address,
  );
  expect(new URL(tunnel.url)).toMatchObject({
    username: 'ada',
    password: 'p%40ss',
    pathname: '/books',
    search: '?sslmode=disable',
  });
  expect(await text(connectTo(tunnel.url))).toBe('well met');
  tunnel.close();
  const nowhere = await openTunnel('postgresql://ada@elsewhere.shop.svc/books', proxy.address);
  expect(await text(connectTo(nowhere.url))).toBe('');
  nowhere.close();
});

test('leaves an address alone that is one already', async () => {
  const url = 'postgresql://ada:word@127.0.0.1:5433/books';
  expect((await openTunnel(url, '127.0.0.1:1')).url).toBe(url);
});
