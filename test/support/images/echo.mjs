/** A program for tests of the sandbox's node: it says who it is, what it sees, and fails when it is told to. */
import { createServer, get } from 'node:http';
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { readFile } from 'node:fs/promises';

let healthy = true;
let ready = process.env.ECHO_READY !== 'no';

const routes = {
  '/': () => ({ name: process.env.ECHO_NAME ?? '', pod: process.env.HOSTNAME, tag: process.env.BACKSTAY_IMAGE_TAG }),
  '/env': () => process.env,
  '/argv': () => process.argv.slice(2),
  '/healthz': () => (healthy ? 'ok' : undefined),
  '/readyz': () => (ready ? 'ok' : undefined),
  '/break': () => ((healthy = false), 'broken'),
  '/unready': () => ((ready = false), 'not ready'),
  '/file': async (url) => await readFile(url.searchParams.get('path'), 'utf8'),
  '/lookup': async (url) => await lookup(url.searchParams.get('host')),
  '/fetch': async (url) => await (await fetch(url.searchParams.get('url'))).text(),
  '/get': (url) =>
    new Promise((resolve, reject) => {
      get(url.searchParams.get('url'), (response) => {
        let text = '';
        response.on('data', (part) => (text += part)).on('end', () => resolve(text));
      }).on('error', reject);
    }),
  '/dial': (url) =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(url.searchParams.get('port')), url.searchParams.get('host'));
      socket.write('GET / HTTP/1.0\r\n\r\n');
      let text = '';
      socket
        .on('data', (part) => (text += part))
        .on('end', () => resolve(text))
        .on('error', reject);
    }),
  '/headers': (_url, request) => request.headers,
};

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://echo');
  console.log(`${request.method} ${request.url}`);
  if (url.pathname === '/exit') process.exit(Number(url.searchParams.get('code') ?? 1));
  if (url.pathname === '/echo') return request.pipe(response);
  try {
    const answer = await routes[url.pathname]?.(url, request);
    response.writeHead(answer === undefined ? 503 : 200, { 'content-type': 'application/json' });
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer ?? null));
  } catch (error) {
    response.writeHead(500).end(JSON.stringify({ code: error.cause?.code ?? error.code, message: String(error) }));
  }
});

server.on('upgrade', (_request, socket, head) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
  socket.write(head);
  socket.pipe(socket);
});

process.on('SIGTERM', () => {
  console.log('asked to stop');
  setTimeout(() => process.exit(0), Number(process.env.ECHO_LINGER_MS ?? 0));
});

console.log(`echo ${process.env.BACKSTAY_IMAGE_TAG} starts`);
console.error('a line on the error stream');
if (process.env.ECHO_CRASH !== undefined) {
  console.log('crashing as told');
  process.exit(Number(process.env.ECHO_CRASH));
}
if (process.env.ECHO_RUN_ONCE === undefined) server.listen(Number(process.env.PORT ?? 8080));
