import { afterEach } from 'vitest';
import type { NotificationSetting } from '../../../../src/model/index.ts';
import { type Answer, type LocalServer, localServer, type Received } from '../../../hooks/server.ts';

/** Signs what hooks of tests are sent: the world's key `SECRET`. */
export const SECRET = 'whsec_0123456789abcdef';

/** What `run('r1')`, begun and ended, is told as. */
export const RUN_OF_TWO = ['r1:00000002:run.started', 'r1:00000003:run.ended'];

/** Makes receivers, each of which ends with its test. */
export function receivers(): (
  answer?: (request: Received, count: number) => Answer | Promise<Answer>,
) => Promise<LocalServer> {
  const servers: LocalServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map(async (server) => await server[Symbol.asyncDispose]()));
  });
  return async (answer = () => ({ status: 200 })) => {
    const server = await localServer(answer);
    servers.push(server);
    return server;
  };
}

export function hook(
  name: string,
  { url }: LocalServer,
  part: Pick<NotificationSetting, 'on'> = {},
): NotificationSetting {
  return { name, kind: 'webhook', url, secret: { env: 'SECRET' }, ...part };
}

/** What a receiver was told, by event. */
export function eventsOf({ received }: LocalServer): readonly string[] {
  return received.map(({ headers }) => String(headers['idempotency-key']));
}
