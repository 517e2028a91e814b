import { BlockList, isIPv6 } from 'node:net';
import type { ServiceSettings } from '../model/index.ts';
import { hostsOf, isLoopback } from '../service/access/exposure.ts';
import type { Front } from './context.ts';

/** How requests come in, by the settings and the port that was found. */
export function frontOf(settings: ServiceSettings, port: number): Front {
  const { tls, proxy, listen } = settings;
  const hosts = hostsOf(settings, port);
  return {
    ...(hosts === undefined ? {} : { hosts }),
    isTrusted: trustedBy(proxy?.trusted ?? []),
    secure: tls !== undefined || proxy !== undefined,
    openMetrics: isLoopback(listen.host) && proxy === undefined,
  };
}

/** By address or block; IPv4 that comes in as IPv6 (`::ffff:10.0.0.1`) is meant as well. */
function trustedBy(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (address) => {
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
    return list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
  };
}
