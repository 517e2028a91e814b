import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below what systems give out by themselves (Linux from 32768, macOS from 49152, see ip_local_port_range): a server that is
 * started again on its port would meet whoever was given it meanwhile. So is the port 10,000 further, which a Redis of a cluster
 * takes beside its own.
 */
const FIRST = 20_000;
const LAST = 22_767;
const ATTEMPTS = 100;

/** A port that was free a moment ago on 127.0.0.1. Servers that can bind port 0 themselves, and keep it, should. */
export async function freePort(): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = randomInt(FIRST, LAST + 1);
    const server = createServer();
    try {
      const listening = once(server, 'listening');
      server.listen(port, '127.0.0.1');
      await listening;
      server.close();
      await once(server, 'close');
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt === ATTEMPTS) throw error;
    }
  }
}
