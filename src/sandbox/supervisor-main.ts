/**
 * The sandbox's own process. Started by sandbox.ts with the configuration as its one argument (a file) and an IPC
 * channel on which it says how far it is. With `attached` its standard input is a pipe of its owner: when that closes,
 * however the owner ended, the sandbox goes down.
 */
import { readFile } from 'node:fs/promises';
import { startSandbox } from './supervisor.ts';
import type { SupervisorConfig } from './supervisor-config.ts';

export type SupervisorMessage =
  | { readonly kind: 'progress'; readonly line: string }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly next: string };

const [configFile = '', attached] = process.argv.slice(2);
const tell = (message: SupervisorMessage): void => {
  if (process.connected) process.send?.(message, () => undefined);
};

const config = JSON.parse(await readFile(configFile, 'utf8')) as SupervisorConfig;
let stopping: Promise<void> | undefined;
const starting = startSandbox(config, (line) => tell({ kind: 'progress', line }));

const shutDown = (): void => {
  stopping ??= starting
    .then((sandbox) => sandbox.stop())
    .catch(() => undefined)
    .then(() => process.exit(0));
};
process.on('SIGTERM', shutDown);
process.on('SIGINT', shutDown);
process.on('SIGHUP', () => undefined);
if (attached === 'attached') {
  process.stdin.resume();
  process.stdin.on('end', shutDown);
  process.stdin.on('error', shutDown);
}

try {
  await starting;
  tell({ kind: 'ready' });
} catch (error) {
  const known = error as { code?: string; message?: string; next?: string };
  tell({
    kind: 'failed',
    code: known.code ?? 'INTERNAL',
    message: known.message ?? String(error),
    next: known.next ?? '',
  });
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
  if (process.connected) process.disconnect();
}
