import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Principal } from '../model/index.ts';
import type { Gate, Proven } from '../service/access/gate.ts';
import type { ServiceDeps } from '../service/deps.ts';
import type { Log } from '../service/log.ts';

/** What each request carries from the middleware to its route. */
export interface AppEnv {
  readonly Variables: {
    /** Proven before any route below /v1 is reached. Absent on the few public ones. */
    principal: Principal;
    proven: Proven;
    requestId: string;
  };
  readonly Bindings: {
    /** The socket below, where there is one: app.request() of a test has none. */
    readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } };
  };
}

export type App = OpenAPIHono<AppEnv>;

/** What routes are made from. Each file in routes/ exports one function that adds its routes to the app. */
export interface HttpDeps {
  readonly service: ServiceDeps;
  readonly gate: Gate;
  readonly log: Log;
  /** Fires when the service ends: streams are to be closed. */
  readonly stopping: AbortSignal;
  readonly front: Front;
  readonly limits: RequestLimits;
}

/** How requests come in. */
export interface Front {
  /** Names, with port, that are ours; others are refused (DNS rebinding). Absent: any. */
  readonly hosts?: readonly string[];
  /** Whether an address is a proxy of ours, whose X-Forwarded-For and -Proto are believed. */
  isTrusted(address: string): boolean;
  /** Whether people reach us by TLS: cookies are then for that alone. */
  readonly secure: boolean;
  /** Whether /metrics needs no token. */
  readonly openMetrics: boolean;
}

export interface RequestLimits {
  /** Of one body. */
  readonly bodyBytes: number;
  /** Of arrays and objects in each other. */
  readonly bodyDepth: number;
  /** Of one principal, and of one address that has shown nothing. */
  readonly perMinute: number;
  /** Streams of events that one principal may have open. */
  readonly streams: number;
}

/** @default of the settings file */
export const REQUEST_LIMITS: RequestLimits = { bodyBytes: 1_048_576, bodyDepth: 32, perMinute: 600, streams: 500 };

export type Routes = (app: App, deps: HttpDeps) => void;
