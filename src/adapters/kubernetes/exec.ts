import { setTimeout as delay } from 'node:timers/promises';
import type { MessageEvent, WebSocket } from 'undici';
import { BackstayError } from '../../errors/index.ts';
import type { ExecOptions, ExecResult } from '../../ports/index.ts';
import { withQuery } from './paths.ts';
import type { Transport } from './transport.ts';

/** Passed through to the node as it is; the newer v5 is translated by the API server into a protocol nodes dislike. */
const PROTOCOL = 'v4.channel.k8s.io';
/** The first byte of every message. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3 } as const;
/** More than anybody asks of a probe; what comes after it is dropped. */
const MOST_BYTES = 256 * 1024;
const NOT_THERE = 127;
/**
 * Bytes that may wait in the socket before more is read for it, and the pause between two looks at them, milliseconds: a
 * WebSocket tells how much it holds, and to nobody that it has become less.
 */
const WAITING_BYTES = 4 * 1024 * 1024;
const LOOK_AGAIN_MS = 5;

/** One program in one container, over a WebSocket. Its exit code comes with the last message. */
export async function execIn(transport: Transport, options: ExecOptions): Promise<ExecResult> {
  const { namespace, pod, container, command, stdin, onStdout, signal } = options;
  const path = withQuery(`/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/exec`, {
    container,
    stdout: 'true',
    stderr: 'true',
    ...(stdin === undefined ? {} : { stdin: 'true' }),
  });
  const words = command.map((word) => `&command=${encodeURIComponent(word)}`).join('');
  const unavailable = (why: string): BackstayError =>
    new BackstayError('EXEC_UNAVAILABLE', `Nothing can be run in container ${container} of pod ${pod}: ${why}.`, {
      details: { namespace, pod, container },
    });
  signal?.throwIfAborted();
  const socket = await transport.socket(`${path}${words}`, PROTOCOL);
  socket.binaryType = 'arraybuffer';
  const said: Record<number, Buffer[]> = { [CHANNEL.stdout]: [], [CHANNEL.stderr]: [], [CHANNEL.error]: [] };
  let bytes = 0;
  return await new Promise((resolve, reject) => {
    const stop = (): void => {
      socket.close();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', stop, { once: true });
    if (stdin !== undefined)
      socket.addEventListener('open', () => {
        feed(stdin, socket).catch((error: unknown) => {
          socket.close();
          reject(error);
        });
      });
    socket.addEventListener('message', ({ data }: MessageEvent) => {
      const message = Buffer.from(data as ArrayBuffer);
      if (onStdout !== undefined && message[0] === CHANNEL.stdout) {
        if (message.length > 1) onStdout(message.subarray(1));
        return;
      }
      bytes += message.length;
      if (bytes <= MOST_BYTES || message[0] === CHANNEL.error) said[message[0] ?? -1]?.push(message.subarray(1));
    });
    // A refused upgrade is told as an error without words; the close that follows ends it.
    socket.addEventListener('close', () => {
      signal?.removeEventListener('abort', stop);
      const text = (channel: number): string => Buffer.concat(said[channel] ?? []).toString('utf8');
      const status = text(CHANNEL.error);
      if (status === '') {
        reject(unavailable('the API server or the node refused it, or the connection broke off'));
        return;
      }
      const ended = exitOf(status);
      if (typeof ended === 'string') reject(unavailable(ended));
      else resolve({ exitCode: ended, stdout: text(CHANNEL.stdout), stderr: text(CHANNEL.stderr) });
    });
  });
}

/** As fast as the socket takes it; what the program does not want to read any more is dropped with the connection. */
async function feed(source: AsyncIterable<Uint8Array>, socket: WebSocket): Promise<void> {
  for await (const chunk of source) {
    while (socket.readyState === socket.OPEN && socket.bufferedAmount > WAITING_BYTES) await delay(LOOK_AGAIN_MS);
    if (socket.readyState !== socket.OPEN) return;
    socket.send(Buffer.concat([Buffer.of(CHANNEL.stdin), chunk]));
  }
}

interface ExecStatus {
  readonly status?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

/** The exit code, or why there is none. Runtimes tell a program that is not there as an error, not as 127. */
function exitOf(text: string): number | string {
  let status: ExecStatus;
  try {
    status = JSON.parse(text) as ExecStatus;
  } catch {
    return text.trim();
  }
  if (status.status === 'Success') return 0;
  const code = status.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  if (code !== undefined) return Number(code);
  const message = status.message ?? 'no reason was given';
  return /not found|no such file|ENOENT/i.test(message) ? NOT_THERE : message;
}
