import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { localAddressOf } from '../../contract.ts';
import type { Container, HttpGet, Probe } from '../pods/pod-types.ts';
import { portNumber } from '../pods/pod-types.ts';

export interface ProbeTarget {
  readonly container: Container;
  readonly podIP: string;
  /** Runs a command in the container's environment; resolves with its exit code and output, also when it was cut off. */
  readonly exec: (command: readonly string[], timeoutMs: number) => Promise<{ exitCode: number; output: string }>;
}

export interface ProbeAttempt {
  readonly ok: boolean;
  /** A kubelet's words for what happened. */
  readonly message: string;
}

/** One attempt of a probe. Never throws: what cannot be reached is a failed attempt. */
export async function runProbe(probe: Probe, target: ProbeTarget): Promise<ProbeAttempt> {
  const timeoutMs = Math.max(1, probe.timeoutSeconds ?? 1) * 1000;
  if (probe.exec !== undefined) return await execProbe(probe.exec.command ?? [], target, timeoutMs);
  if (probe.httpGet !== undefined) return await httpProbe(probe.httpGet, target, timeoutMs);
  // A gRPC health check is reduced to a connection: the sandbox's images speak HTTP.
  const socket = probe.tcpSocket ?? probe.grpc;
  if (socket === undefined) return { ok: true, message: '' };
  return await tcpProbe(socket.port, target, timeoutMs);
}

async function execProbe(command: readonly string[], target: ProbeTarget, timeoutMs: number): Promise<ProbeAttempt> {
  const { exitCode, output } = await target.exec(command, timeoutMs);
  return { ok: exitCode === 0, message: output.slice(0, 10 * 1024) };
}

/** GET as a kubelet does it: 200 to 399 is success, certificates are not verified. Also used by lifecycle hooks. */
export async function httpProbe(get: HttpGet, target: ProbeTarget, timeoutMs: number): Promise<ProbeAttempt> {
  const port = portNumber(target.container, get.port);
  if (port === undefined)
    return { ok: false, message: `couldn't find port: ${String(get.port)} in container ${target.container.name}` };
  const path = get.path === undefined || get.path === '' ? '/' : get.path.startsWith('/') ? get.path : `/${get.path}`;
  const secure = get.scheme === 'HTTPS';
  const shown = `${secure ? 'https' : 'http'}://${target.podIP}:${port}${path}`;
  const headers: Record<string, string> = {
    'user-agent': 'kube-probe/1.35',
    accept: '*/*',
    host: `${target.podIP}:${port}`,
    connection: 'close',
  };
  for (const { name, value } of get.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  const signal = AbortSignal.timeout(timeoutMs);
  const options = { host: localAddressOf(target.podIP), port, path, headers, agent: false as const, signal };
  return await new Promise((resolve) => {
    const request = secure ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      response.on('error', () => undefined).resume();
      const ok = status >= 200 && status < 400;
      resolve({ ok, message: ok ? '' : `HTTP probe failed with statuscode: ${status}` });
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      const why = signal.aborted
        ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        : dialError(target.podIP, port, error);
      resolve({ ok: false, message: `Get "${shown}": ${why}` });
    });
    request.end();
  });
}

async function tcpProbe(port: number | string, target: ProbeTarget, timeoutMs: number): Promise<ProbeAttempt> {
  const number = portNumber(target.container, port);
  if (number === undefined)
    return { ok: false, message: `couldn't find port: ${String(port)} in container ${target.container.name}` };
  return await new Promise((resolve) => {
    const socket = connect({ host: localAddressOf(target.podIP), port: number });
    const end = (ok: boolean, message: string): void => {
      socket.destroy();
      resolve({ ok, message });
    };
    socket.setTimeout(timeoutMs, () => end(false, `dial tcp ${target.podIP}:${number}: i/o timeout`));
    socket.once('connect', () => end(true, ''));
    socket.once('error', (error) => end(false, dialError(target.podIP, number, error)));
  });
}

function dialError(podIP: string, port: number, error: NodeJS.ErrnoException): string {
  const refused = error.code === 'ECONNREFUSED';
  return refused ? `dial tcp ${podIP}:${port}: connect: connection refused` : error.message;
}
