import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConnectProxy, startConnectProxy } from '../../../src/sandbox/node/network/connect-proxy.ts';

const PRELOAD = new URL('../../../src/sandbox/preload.mjs', import.meta.url).href;

/** The address of this test's own pod; outside the networks that nodes claim. */
const ADDRESS = '127.245.7.8';

describe('the preload of pods', () => {
  let proxy: ConnectProxy;
  const server = createServer((request, response) => response.end(`${request.headers.host} ${request.url}`));

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const endpoint = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    proxy = await startConnectProxy();
    proxy.setResolver({
      route: (host, port, namespace) => {
        const known =
          ['gateway.production.svc', 'gateway.production', '10.96.0.9'].includes(host) ||
          (host === 'gateway' && namespace === 'production');
        if (host === 'idle')
          return { ok: false, why: 'unavailable', reason: 'Service production/idle has no ready endpoint' };
        return known && port === 80
          ? { ok: true, endpoints: [endpoint] }
          : { ok: false, why: 'unknown', reason: `no Service answers to ${host}` };
      },
      addresses: (host) => (host === 'gateway' ? ['10.96.0.9'] : []),
    });
  });
  afterAll(async () => {
    await proxy.close();
    await new Promise((resolve) => server.close(resolve));
  });

  /** What a module prints that runs as a pod would. */
  const run = (source: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const env = {
        BACKSTAY_POD_ADDRESS: ADDRESS,
        BACKSTAY_POD_PROXY: proxy.address,
        BACKSTAY_POD_NAMESPACE: 'production',
      };
      execFile(
        process.execPath,
        ['--import', PRELOAD, '--input-type=module', '-e', source],
        { env },
        (error, stdout, stderr) => {
          if (error === null) resolve(stdout.trim());
          else reject(new TypeError(stderr));
        },
      );
    });

  test.each([
    'listen(0)',
    "listen(0, '0.0.0.0')",
    "listen({ port: 0, host: '::' })",
    'listen()',
    "listen(0, 'localhost')",
    'listen({ port: 0 })',
  ])('makes %s mean the pod’s own address', async (call) => {
    const source = `import { createServer } from 'node:net';
      const server = createServer(); server.${call};
      server.on('listening', () => { console.log(server.address().address); server.close(); });`;
    expect(await run(source)).toBe(ADDRESS);
  });

  test('leaves another loopback address as it was chosen, and calls back', async () => {
    const source = `import { createServer } from 'node:net';
      const server = createServer().listen(0, '127.0.0.1', () => { console.log(server.address().address); server.close(); });`;
    expect(await run(source)).toBe('127.0.0.1');
  });

  test('reaches the pod itself by localhost', async () => {
    const source = `import { createServer } from 'node:http';
      const server = createServer((request, response) => response.end('self')).listen(0, async () => {
        console.log(await (await fetch('http://localhost:' + server.address().port)).text()); server.close(); server.closeAllConnections();
      });`;
    expect(await run(source)).toBe('self');
  });

  test.each(['gateway', 'gateway.production', 'gateway.production.svc', '10.96.0.9'])(
    'carries fetch, http and plain sockets to %s',
    async (host) => {
      const source = `import http from 'node:http'; import net from 'node:net';
      console.log(await (await fetch('http://${host}/fetch')).text());
      console.log(await new Promise((resolve) => http.get('http://${host}/http', { agent: new http.Agent({ keepAlive: true }) }, (answer) => answer.on('data', (part) => resolve(String(part))))));
      const socket = new net.Socket(); socket.connect(80, '${host}'); socket.write('GET /socket HTTP/1.0\\r\\nhost: raw\\r\\n\\r\\n');
      let text = ''; for await (const part of socket) text += part; console.log(text.split('\\r\\n\\r\\n')[1]); process.exit();`;
      expect(await run(source)).toBe(`${host} /fetch\n${host} /http\nraw /socket`);
    },
  );

  test.each([
    ['idle', 80, 'ECONNREFUSED'],
    ['nobody', 80, 'ENOTFOUND'],
    ['nobody.nowhere.svc.cluster.local', 80, 'ENOTFOUND'],
    ['10.96.0.77', 80, 'EHOSTUNREACH'],
  ])('fails for %s:%d with %s, as the system would', async (host, port, code) => {
    const source = `import net from 'node:net'; net.connect({ host: '${host}', port: ${port} }).on('error', (error) => console.log(error.code));`;
    expect(await run(source)).toBe(code);
  });

  test('answers lookups of cluster names with the Service’s address and never asks real DNS', async () => {
    const source = `import dns, { lookup } from 'node:dns'; import { lookup as promised } from 'node:dns/promises';
      console.log((await promised('gateway')).address);
      console.log(JSON.stringify(await promised('gateway', { all: true })));
      lookup('gateway', (error, address, family) => console.log(address, family));
      dns.lookup('nobody.production.svc', (error) => console.log(error.code));`;
    const lines = (await run(source)).split('\n');
    expect(lines.sort()).toEqual(['10.96.0.9', '10.96.0.9 4', 'ENOTFOUND', '[{"address":"10.96.0.9","family":4}]']);
  });
});
