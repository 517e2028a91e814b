import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Receivers {
  readonly slackUrl: string;
  readonly issueApi: string;
  readonly announcements: readonly string[];
  readonly tickets: readonly { readonly title: string; readonly body: string }[];
  close(): void;
}

/**
 * Stands where Slack and GitHub would: an incoming webhook and an issue API on loopback, so that the demo (and nobody's
 * channel) hears of the rollback.
 */
export async function startReceivers(): Promise<Receivers> {
  const announcements: string[] = [];
  const tickets: { title: string; body: string }[] = [];
  const server: Server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const path = request.url ?? '';
      if (request.method === 'POST' && path === '/slack') {
        announcements.push((JSON.parse(text) as { text: string }).text);
        response.end('ok');
      } else if (request.method === 'POST' && path.endsWith('/issues')) {
        tickets.push(JSON.parse(text) as { title: string; body: string });
        response.writeHead(201, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ number: tickets.length, html_url: `http://127.0.0.1${path}/${tickets.length}` }));
      } else {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(tickets.map((ticket, index) => ({ number: index + 1, ...ticket }))));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    slackUrl: `http://127.0.0.1:${port}/slack`,
    issueApi: `http://127.0.0.1:${port}`,
    announcements,
    tickets,
    close: () => server.close(),
  };
}
