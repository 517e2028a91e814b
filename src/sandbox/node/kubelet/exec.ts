import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Launch } from '../pods/launch.ts';
import type { PodManager } from '../pods/pod-manager.ts';
import { acceptWebSocket } from './websocket.ts';

const PROTOCOL = 'v4.channel.k8s.io';

/** Channels of the protocol: the first byte of every message. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3 } as const;

/** `GET /exec/NS/POD/CONTAINER?command=…&input=1` as a WebSocket: runs a command beside the container's process. */
export function serveExec(request: IncomingMessage, socket: Duplex, head: Buffer, pods: PodManager): void {
  socket.on('error', () => socket.destroy());
  const refuse = (status: string, reason: string): void => refuseUpgrade(socket, status, reason);
  const url = new URL(request.url ?? '/', 'https://node');
  const [kind, namespace = '', pod = '', container = ''] = url.pathname.split('/').slice(1).map(decodeURIComponent);
  if (kind !== 'exec') return refuse('404 Not Found', '404 page not found');
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/);
  if (!offered.includes(PROTOCOL)) return refuse('400 Bad Request', `the sandbox's node speaks ${PROTOCOL} only`);
  const launch = pods.find(namespace, pod)?.runner(container)?.launchOf(url.searchParams.getAll('command'));
  if (launch === undefined)
    return refuse('404 Not Found', `container ${container} of pod ${namespace}/${pod} is not running`);
  const stdin = ['1', 'true'].includes(url.searchParams.get('input') ?? url.searchParams.get('stdin') ?? '');
  runExec(launch, stdin, request, socket, head, pods);
}

export function refuseUpgrade(socket: Duplex, status: string, reason: string): void {
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(reason)}\r\n\r\n${reason}`,
  );
}

function runExec(
  launch: Launch,
  stdin: boolean,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  pods: PodManager,
): void {
  const child = spawn(launch.file, [...launch.args], {
    cwd: launch.cwd,
    env: { ...launch.env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid !== undefined) pods.childStarted(pid);
  child.stdin.on('error', () => undefined);
  if (!stdin) child.stdin.end();
  const kill = (): void => {
    if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It ended in this very moment.
    }
  };
  const peer = acceptWebSocket(request, socket, head, PROTOCOL, {
    message: (data) => {
      if (data[0] === CHANNEL.stdin && data.length > 1 && child.stdin.writable) child.stdin.write(data.subarray(1));
    },
    closed: kill,
  });
  const send = (channel: number, data: Buffer): void => peer.send(Buffer.concat([Buffer.from([channel]), data]));
  // The protocol opens each channel with an empty message.
  send(CHANNEL.stdout, Buffer.alloc(0));
  send(CHANNEL.stderr, Buffer.alloc(0));
  child.stdout.on('data', (chunk: Buffer) => send(CHANNEL.stdout, chunk));
  child.stderr.on('data', (chunk: Buffer) => send(CHANNEL.stderr, chunk));
  const finish = (status: object): void => {
    send(CHANNEL.error, Buffer.from(JSON.stringify(status)));
    peer.close();
  };
  child.once('error', (error) =>
    finish({ metadata: {}, status: 'Failure', reason: 'InternalError', message: error.message, code: 500 }),
  );
  child.once('close', (code, signal) => {
    if (pid === undefined) return;
    pods.childEnded(pid);
    finish(exitStatus(signal === null ? (code ?? 0) : 128 + constants.signals[signal]));
  });
}

function exitStatus(code: number): object {
  if (code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}
