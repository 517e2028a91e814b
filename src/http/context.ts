import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Principal } from '../model/index.ts';
import type { ServiceDeps } from '../service/deps.ts';

/** What each request carries from the middleware to its route. */
export interface AppEnv {
  readonly Variables: {
    /** Proven before any route is reached. */
    principal: Principal;
    requestId: string;
  };
}

export type App = OpenAPIHono<AppEnv>;

/** What routes are made from. Each file in routes/ exports one function that adds its routes to the app. */
export interface HttpDeps {
  readonly service: ServiceDeps;
}

export type Routes = (app: App, deps: HttpDeps) => void;
