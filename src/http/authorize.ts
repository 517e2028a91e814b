import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { BackstayError } from '../errors/index.ts';
import type { Person } from '../journal/index.ts';
import type { Deed } from '../model/index.ts';
import { mayDo } from '../service/access/may.ts';
import type { AppEnv, HttpDeps } from './context.ts';

/**
 * Lets the request through if its principal may do that to the stack (without one: to the service), and writes down every
 * refusal and everything that was let through and is no reading. Ask before the stack is looked for, so that a refusal tells
 * nobody which stacks there are. `listed` lets somebody approve whom the stack's policy names by the principal's id.
 * @throws ACCESS_DENIED
 */
export async function requireDeed(
  c: Context<AppEnv>,
  deps: Pick<HttpDeps, 'service'>,
  deed: Deed,
  stack?: string,
  options: { readonly listed?: boolean } = {},
): Promise<void> {
  const principal = c.get('principal');
  const allowed = options.listed === true || mayDo(principal, deed, stack);
  const isReading = deed === 'watch' || (deed === 'manage' && c.req.method === 'GET');
  if (!allowed || !isReading) {
    const { records, clock } = deps.service;
    const at = new Date(clock.now()).toISOString();
    await records.put('decision', `${at} ${randomUUID()}`, 0, {
      principal: principal.id,
      deed,
      ...(stack === undefined ? {} : { stack }),
      allowed,
      method: c.req.method,
      path: c.req.path,
      requestId: c.get('requestId'),
    });
  }
  if (!allowed)
    throw new BackstayError(
      'ACCESS_DENIED',
      `${principal.name} may not ${deed}${stack === undefined ? ' for the service as a whole' : ` on ${stack}`}.`,
      { details: { deed, ...(stack === undefined ? {} : { stack }) } },
    );
}

/** Of a list: what the principal may watch. Leaving the rest out is no refusal. */
export function mayWatch(c: Context<AppEnv>, stack: string): boolean {
  return mayDo(c.get('principal'), 'watch', stack);
}

/** As whom journals and records know the one who asks. */
export function personOf(c: Context<AppEnv>, { service }: Pick<HttpDeps, 'service'>): Person {
  const { by: user, ...person } = askerOf(c);
  return { user, host: service.by.host, ...person };
}

/** The same, for what a service does later in somebody's name. */
export function askerOf(c: Context<AppEnv>): { readonly by: string; readonly person?: string } {
  const { id, person } = c.get('principal');
  return { by: id, ...(person === undefined ? {} : { person }) };
}
