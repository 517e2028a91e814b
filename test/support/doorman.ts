import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An endpoint for a stack's hooks that keeps a caller waiting for as long as a test needs. */
export interface Doorman {
  readonly url: string;
  /** Paths that were called, in order. */
  readonly calls: readonly string[];
  /** The next call of this path is kept waiting; resolves when it is there. `open` answers it with 200. */
  hold(path: string): { readonly arrived: Promise<void>; readonly open: () => void };
  /** Forgets the calls so far. */
  forget(): void;
  close(): Promise<void>;
}

export async function doorman(): Promise<Doorman> {
  const calls: string[] = [];
  const held = new Map<string, (response: ServerResponse) => void>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    calls.push(path);
    request.resume();
    const keep = held.get(path);
    held.delete(path);
    if (keep === undefined) response.end('{}');
    else keep(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    hold: (path) => {
      let waiting: ServerResponse | undefined;
      const arrived = new Promise<void>((resolve) => {
        held.set(path, (response) => {
          waiting = response;
          resolve();
        });
      });
      return { arrived, open: () => void waiting?.end('{}') };
    },
    forget: () => {
      calls.length = 0;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
