import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** A TCP proxy to one address that cuts connections when told. */
export interface CuttingProxy {
  readonly port: number;
  /** Connections accepted so far. */
  connections(): number;
  /** Cuts everything that is open. */
  cut(): void;
  /** Cuts the next `count` connections before a request of theirs reaches the server; open ones are cut now. */
  cutNext(count: number): void;
  /** Lets the next request through, and cuts its connection in place of the answer: what was asked has happened. */
  deafenNext(): void;
  /** As `deafenNext`, once so many answers have come through. Undefined: no more. */
  deafenAfter(answers: number | undefined): void;
  /** Answers that were cut off so. */
  swallowed(): number;
  close(): Promise<void>;
}

export async function cuttingProxy(target: URL): Promise<CuttingProxy> {
  const open = new Set<Socket>();
  let accepted = 0;
  let doomed = 0;
  let untilDeaf: number | undefined;
  let swallowed = 0;
  const cut = (): void => {
    for (const socket of open) socket.resetAndDestroy();
  };
  const server: Server = createServer((client) => {
    accepted += 1;
    const upstream = connect({ host: target.hostname, port: Number(target.port) });
    const dies = doomed > 0;
    if (dies) doomed -= 1;
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        open.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    upstream.on('data', (chunk: Buffer) => {
      if (untilDeaf !== 0) {
        if (untilDeaf !== undefined) untilDeaf -= 1;
        client.write(chunk);
        return;
      }
      untilDeaf = undefined;
      swallowed += 1;
      client.resetAndDestroy();
    });
    if (!dies) {
      client.pipe(upstream);
      return;
    }
    // The first packet is the greeting; whatever comes with the second never reaches the server.
    client.once('data', (chunk) => {
      upstream.write(chunk);
      client.once('data', () => client.resetAndDestroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => accepted,
    cut,
    cutNext: (count) => {
      doomed = count;
      cut();
    },
    deafenNext: () => {
      untilDeaf = 0;
    },
    deafenAfter: (answers) => {
      untilDeaf = answers;
    },
    swallowed: () => swallowed,
    close: async () => {
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
