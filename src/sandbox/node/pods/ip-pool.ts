import { createServer, type Server } from 'node:net';
import { BackstayError } from '../../../errors/index.ts';
import { localAddressOf } from '../../contract.ts';

/** Nobody serves here: whoever listens on `127.244.N.1` at this port owns the network 10.244.N.0/24 on this machine. */
const CLAIM_PORT = 10_244;

/** Addresses for the pods of one node. Sandboxes on one machine share 127.0.0.0/8, so each claims a /24 of its own. */
export class IpPool {
  /** `10.244.N.0/24`. */
  readonly cidr: string;
  readonly #prefix: string;
  readonly #claim: Server;
  readonly #used = new Set<number>();
  #last = 1;

  private constructor(network: number, claim: Server) {
    this.#prefix = `10.244.${network}`;
    this.cidr = `${this.#prefix}.0/24`;
    this.#claim = claim;
  }

  /** Claims the first free network from a random one on, so that a network just given up is rarely the next one used. */
  static async claim(first: number = Math.floor(Math.random() * 255)): Promise<IpPool> {
    for (let step = 0; step < 255; step += 1) {
      // 10.244.0.0/24 stays free: the API server advertises 10.244.0.1.
      const network = 1 + ((first + step) % 255);
      const server = await claimNetwork(localAddressOf(`10.244.${network}.1`));
      if (server !== undefined) return new IpPool(network, server);
    }
    throw new BackstayError(
      'SANDBOX_FAILED',
      'Every pod network of this machine (10.244.1.0/24 to 10.244.255.0/24) is taken.',
      {
        next: 'Run `backstay sandbox down` in the folders of sandboxes that are not needed.',
      },
    );
  }

  /** The next free address; one that was given back comes last. Undefined when all 253 are in use. */
  take(): string | undefined {
    for (let step = 1; step <= 253; step += 1) {
      const host = 2 + ((this.#last - 2 + step + 253) % 253);
      if (this.#used.has(host)) continue;
      this.#used.add(host);
      this.#last = host;
      return `${this.#prefix}.${host}`;
    }
    return undefined;
  }

  give(address: string): void {
    this.#used.delete(Number(address.split('.')[3]));
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#claim.close(() => resolve());
    });
  }
}

async function claimNetwork(host: string): Promise<Server | undefined> {
  return await new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen(CLAIM_PORT, host, () => resolve(server));
  });
}
