import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { localIfPod } from '../network/routing-table.ts';
import type { PodManager } from '../pods/pod-manager.ts';
import { refuseUpgrade } from './exec.ts';
import { acceptWebSocket } from './websocket.ts';

const PROTOCOL = 'v4.channel.k8s.io';

/** Two channels for the one port: its bytes, and what went wrong. Each begins with a message that names the port. */
const CHANNEL = { data: 0, error: 1 } as const;

/** `GET /portForward/NS/POD?port=N` as a WebSocket: one connection to a port of the pod. */
export function servePortForward(request: IncomingMessage, socket: Duplex, head: Buffer, pods: PodManager): void {
  socket.on('error', () => socket.destroy());
  const url = new URL(request.url ?? '/', 'https://node');
  const [, namespace = '', pod = ''] = url.pathname.split('/').slice(1).map(decodeURIComponent);
  const port = Number(url.searchParams.get('port'));
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/);
  if (!offered.includes(PROTOCOL))
    return refuseUpgrade(socket, '400 Bad Request', `the sandbox's node speaks ${PROTOCOL} only`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    return refuseUpgrade(socket, '400 Bad Request', 'one port is expected');
  const address = pods.find(namespace, pod)?.pod.status?.podIP;
  if (address === undefined) return refuseUpgrade(socket, '404 Not Found', `pod ${namespace}/${pod} is not running`);
  const upstream = connect({ host: localIfPod(address), port, noDelay: true });
  const peer = acceptWebSocket(request, socket, head, PROTOCOL, {
    message: (data) => {
      if (data[0] === CHANNEL.data && upstream.writable) upstream.write(data.subarray(1));
    },
    closed: () => upstream.destroySoon(),
  });
  const send = (channel: number, data: Buffer): void => peer.send(Buffer.concat([Buffer.from([channel]), data]));
  const named = Buffer.alloc(2);
  named.writeUInt16LE(port);
  send(CHANNEL.data, named);
  send(CHANNEL.error, named);
  upstream.on('data', (chunk: Buffer) => send(CHANNEL.data, chunk));
  upstream.once('error', (error) => send(CHANNEL.error, Buffer.from(error.message)));
  upstream.once('close', () => peer.close());
}
