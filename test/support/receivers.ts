import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A webhook and an issue API on loopback that remember what they were told, in order. */
export interface Receivers {
  /** What makes the CLI talk to them. */
  readonly env: Readonly<Record<string, string>>;
  readonly announcements: { readonly text: string }[];
  readonly tickets: { readonly title: string; readonly body: string; readonly repository: string }[];
  /** Forgets what was said so far. */
  clear(): void;
  close(): Promise<void>;
}

const ISSUES = /^\/repos\/([^/]+\/[^/]+)\/issues/;

export async function receivers(): Promise<Receivers> {
  const announcements: { text: string }[] = [];
  const tickets: { title: string; body: string; repository: string }[] = [];
  const token = 'ghp_receiver_on_loopback';
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const repository = ISSUES.exec(request.url ?? '')?.[1];
    const answer = (status: number, value: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (request.method === 'POST' && request.url === '/services/T0/B0/hook') {
      announcements.push(JSON.parse(body) as { text: string });
      response.end('ok');
    } else if (repository === undefined) answer(404, { message: 'Not Found' });
    else if (request.headers.authorization !== `Bearer ${token}`) answer(401, { message: 'Bad credentials' });
    else if (request.method === 'POST') {
      const ticket = JSON.parse(body) as { title: string; body: string };
      tickets.push({ ...ticket, repository });
      answer(201, { number: tickets.length, html_url: `http://issues.example/${repository}/${tickets.length}` });
    } else answer(200, tickets);
  };
  const server: Server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    env: { SLACK_WEBHOOK_URL: `${url}/services/T0/B0/hook`, GITHUB_API_URL: url, GITHUB_TOKEN: token },
    announcements,
    tickets,
    clear: () => {
      announcements.length = 0;
      tickets.length = 0;
    },
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
