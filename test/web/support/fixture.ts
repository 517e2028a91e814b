import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { OpenAPIHono } from '@hono/zod-openapi';
import { Hono } from 'hono';
import type { AppEnv, HttpDeps } from '../../../src/http/context.ts';
import { headers } from '../../../src/http/middleware/headers.ts';
import { page } from '../../../src/http/page.ts';
import { pick, problem, sse } from './answers.ts';
import { runRoutes } from './run-routes.ts';
import { stackRoutes } from './stack-routes.ts';
import { ASKED, FINISHED, PLAN, RUN } from './story.ts';
import { World } from './world.ts';

export const TOKEN = 'bst_of-a-test';

export interface Fixture {
  readonly url: string;
  /** What is so, what was asked, and what happens next. */
  readonly world: World;
  /** Somebody asks for the run, so many milliseconds ago. */
  begin(agoMs?: number): void;
  finish(): void;
  /** Cuts every connection, and answers nobody until `back`. */
  away(): void;
  back(): void;
  close(): Promise<void>;
}

/**
 * A service without a cluster, with the page, the policy of the real one and an honest stream: ids, Last-Event-ID, cut
 * connections. What happens in it is what the test says.
 */
export async function startFixture(folder: string): Promise<Fixture> {
  const world = new World();
  const app = new Hono<AppEnv>();
  app.use(headers());
  const shell = new OpenAPIHono<AppEnv>();
  page(folder)(shell, {} as HttpDeps);
  app.route('/', shell);
  app.use('/v1/*', async (c, next) => {
    const isOpen =
      c.req.path === '/v1/session' || !world.isLocked || (c.req.header('cookie') ?? '').includes('backstay=in');
    if (!isOpen) return problem(c, 401, 'ACCESS_UNPROVEN', 'The request says not who asks.');
    if (c.req.method !== 'GET')
      world.asked.push({
        call: `${c.req.method} ${c.req.path}`,
        body: await c.req.json().catch(() => undefined),
        ...pick('key', c.req.header('idempotency-key')),
        ...pick('ifMatch', c.req.header('if-match')),
      });
    await next();
  });
  app.post('/v1/session', async (c) => {
    const { token } = await c.req.json<{ token: string }>();
    if (token !== TOKEN) return problem(c, 401, 'ACCESS_UNPROVEN', 'This token is not known.');
    return c.body(null, 204, { 'Set-Cookie': 'backstay=in; HttpOnly; SameSite=Strict; Path=/' });
  });
  app.get('/v1/me', (c) => {
    const grants = [{ role: world.mayAct ? 'operator' : 'viewer', stacks: ['shop-*'] }];
    return c.json({ principal: { id: 'token:anna', name: 'Anna', by: 'token', grants } });
  });

  stackRoutes(app, world);
  runRoutes(app, world);
  app.get('/v1/events', () =>
    sse((write) => {
      world.listeners.add(write);
      write(': here\n\n');
      return () => world.listeners.delete(write);
    }),
  );

  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const sockets = new Set<Socket>();
  const server = createServer((request, response: ServerResponse) => {
    if (world.isAway) request.socket.destroy();
    else void answer(request, response);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    world,
    begin: (agoMs) => {
      world.create(RUN, PLAN, agoMs);
      world.go(RUN, ASKED);
    },
    finish: () => world.go(RUN, FINISHED()),
    away: () => {
      world.isAway = true;
      cut();
    },
    back: () => {
      world.isAway = false;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}
