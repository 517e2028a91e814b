import { OpenAPIHono } from '@hono/zod-openapi';
import type { App, AppEnv, HttpDeps, Routes } from './context.ts';
import { health } from './routes/health.ts';
import { stacks } from './routes/stacks.ts';

/** In the order of the document. */
const ROUTES: readonly Routes[] = [health, stacks];

/** The whole API, without a server: `app.request()` answers in tests as it does on a socket. */
export function createApp(deps: HttpDeps): App {
  const app = new OpenAPIHono<AppEnv>();
  for (const routes of ROUTES) routes(app, deps);
  return app;
}
