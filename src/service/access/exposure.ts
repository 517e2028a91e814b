import { BackstayError } from '../../errors/index.ts';
import type { Principal, ServiceSettings } from '../../model/index.ts';

/** Whether only this machine can reach an address that is listened on. Names other than localhost may lead anywhere. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Beyond loopback everybody has to prove who they are, and nobody in between may read it. `tokens`: how many API tokens
 * there are. @throws SERVICE_OPEN
 */
export function refuseOpen({ listen, tls, proxy, oidc }: ServiceSettings, tokens: number): void {
  if (isLoopback(listen.host)) return;
  const lacks = [
    ...(oidc.length + tokens > 0 ? [] : ['no token was made and no issuer is named, so that nobody could be known']),
    ...(tls !== undefined || proxy !== undefined
      ? []
      : ['neither tls nor a proxy is set up, so that tokens could be read']),
  ];
  if (lacks.length === 0) return;
  throw new BackstayError('SERVICE_OPEN', `The service is not started on ${listen.host}: ${lacks.join('; and ')}.`, {
    details: { listen: listen.host, lacks },
  });
}

/**
 * Who is let in with nothing to show: the user of this machine, where nobody else can reach it, and nobody was given anything
 * to show either. With a proxy before it anybody may come from loopback.
 */
export function localPrincipal(
  { listen, proxy, oidc }: ServiceSettings,
  tokens: number,
  user: string,
): Principal | undefined {
  if (!isLoopback(listen.host) || proxy !== undefined || oidc.length + tokens > 0) return undefined;
  return { id: `local:${user}`, name: user, person: user, by: 'local', grants: [{ role: 'admin', stacks: ['*'] }] };
}

/**
 * Names, with port, that requests may be for. On loopback: those of loopback alone, whatever a name of somebody else leads
 * to. Undefined, any: beyond loopback, where no names are set, everybody proves who they are in each request.
 */
export function hostsOf({ listen, hosts, tls }: ServiceSettings, port: number): readonly string[] | undefined {
  if (!isLoopback(listen.host)) return hosts.length === 0 ? undefined : hosts;
  const usual = tls === undefined ? 80 : 443;
  const own = ['localhost', '127.0.0.1', '[::1]', listen.host.includes(':') ? `[${listen.host}]` : listen.host];
  return [...new Set([...own.map((name) => (port === usual ? name : `${name}:${port}`)), ...hosts])];
}
