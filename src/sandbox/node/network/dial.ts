import { connect, isIP, type Socket } from 'node:net';
import type { Endpoint, Route } from './routing-table.ts';
import { localIfPod } from './routing-table.ts';

/** Answers names and addresses of the cluster. */
export interface Resolver {
  route(host: string, port: number, namespace?: string): Route;
  addresses(host: string, namespace: string): readonly string[];
}

/** A process on this machine accepts at once or not at all. */
const DIAL_MS = 5000;

/**
 * Where a dial from outside or inside the cluster goes. The machine's own loopback passes untouched, so the API server
 * reaches the kubelet; pod addresses are mapped; everything else is asked of the routing table.
 */
export function routeDial(resolver: Resolver | undefined, host: string, port: number, namespace?: string): Route {
  if (host === 'localhost' || host === '::1' || host.startsWith('127.')) {
    return { ok: true, endpoints: [{ host: host === 'localhost' ? '127.0.0.1' : host, port }] };
  }
  if (host.startsWith('10.244.') && isIP(host) === 4)
    return { ok: true, endpoints: [{ host: localIfPod(host), port }] };
  if (resolver === undefined) return { ok: false, why: 'unavailable', reason: 'the node has not started yet' };
  return resolver.route(host, port, namespace);
}

/** Connects to the first endpoint that accepts; throws the last refusal. */
export async function dialFirst(endpoints: readonly Endpoint[]): Promise<Socket> {
  let last: Error | undefined;
  for (const endpoint of endpoints) {
    try {
      return await dial(endpoint);
    } catch (error) {
      last = error as Error;
    }
  }
  throw last ?? new Error('no endpoint to dial');
}

async function dial(endpoint: Endpoint): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: endpoint.host, port: endpoint.port, allowHalfOpen: true, noDelay: true });
    socket.setTimeout(DIAL_MS, () => socket.destroy(new Error(`dial ${endpoint.host}:${endpoint.port}: timed out`)));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.removeListener('error', reject);
      resolve(socket);
    });
  });
}

/** Carries bytes both ways until both sides are done; an error on one side ends the other. */
export function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => to.destroy());
    from.once('close', () => to.destroySoon());
    from.pipe(to);
  }
}
