import { spawn } from 'node:child_process';
import { BackstayError } from '../../../errors/index.ts';
import type { ToolRun } from './tools.ts';

const KEPT = 8_000;

/**
 * What one of the tools writes to its standard output, as it comes. It is ended when nobody reads on, and its end is waited for.
 * @throws STORE_FAILED with the end of what it said, after its last output
 */
export async function* toolOutput(
  file: string,
  args: readonly string[],
  { env, signal }: Pick<ToolRun, 'env' | 'signal'>,
): AsyncGenerator<Buffer> {
  signal?.throwIfAborted();
  const child = spawn(file, [...args], {
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-KEPT)));
  const ended = new Promise<{ readonly code: number | null; readonly cause?: unknown }>((resolve) => {
    let cause: unknown;
    child.once('error', (error) => (child.pid === undefined ? resolve({ code: null, cause: error }) : (cause = error)));
    child.once('close', (code) => resolve({ code, cause }));
  });
  let whole = false;
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
    whole = true;
  } finally {
    if (!whole) child.kill('SIGTERM');
    await ended;
  }
  const { code, cause } = await ended;
  signal?.throwIfAborted();
  if (code === 0) return;
  const reason = said.trim() || (cause instanceof Error ? cause.message : '') || `exit code ${code ?? 'none'}`;
  throw new BackstayError('STORE_FAILED', `${file.split('/').at(-1)}: ${reason.split('\n').slice(-5).join('; ')}`, {
    cause,
    details: { tool: file, exitCode: code },
  });
}
