import { type HttpDeps, REQUEST_LIMITS } from '../../src/http/context.ts';
import { createApp } from '../../src/http/app.ts';
import { BackstayError } from '../../src/errors/index.ts';
import type { AccessRole, Grant, Principal } from '../../src/model/index.ts';
import type { Gate } from '../../src/service/access/gate.ts';
import type { ServiceDeps } from '../../src/service/deps.ts';
import type { LogLine } from '../../src/service/log.ts';

/** Lets in whoever names a role as bearer token: `Bearer operator`, on all stacks; and those that are given. */
export function gateOfRoles(others: Readonly<Record<string, readonly Grant[]>> = {}): Gate {
  const grantsOf = (name: string): readonly Grant[] | undefined =>
    others[name] ??
    (['viewer', 'operator', 'admin'].includes(name) ? [{ role: name as AccessRole, stacks: ['*'] }] : undefined);
  return {
    prove: async ({ bearer }) => {
      const grants = bearer === undefined ? undefined : grantsOf(bearer);
      if (bearer === undefined) return undefined;
      if (grants === undefined) throw new BackstayError('ACCESS_UNPROVEN', 'The token does not hold.');
      const principal: Principal = { id: `token:${bearer}`, name: bearer, by: 'token', grants };
      return { principal, keys: [], ended: async (signal) => await fired(signal) };
    },
  };
}

async function fired(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

/** The whole app over a service, without a socket. `log` collects what it logs; `ask` requests as one of the roles. */
export function appFor(service: ServiceDeps, overrides: Partial<Omit<HttpDeps, 'service'>> = {}) {
  const log: LogLine[] = [];
  const app = createApp({
    service,
    gate: gateOfRoles(),
    log: (line) => void log.push(line),
    stopping: new AbortController().signal,
    front: { isTrusted: () => false, secure: false, openMetrics: true },
    limits: REQUEST_LIMITS,
    ...overrides,
  });
  const ask = async (
    who: string,
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> =>
    await app.request(path, {
      method,
      headers: {
        Authorization: `Bearer ${who}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  return { app, ask, log };
}
