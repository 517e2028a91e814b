import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../service/log.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/**
 * In a checkout whose page was not built yet: builds it beside the service, which says so at `/` until it is there. What is
 * installed has the page built, or has nothing to build it with. Never throws; what goes wrong is logged.
 */
export async function buildPage(log: Log, signal: AbortSignal, root = ROOT): Promise<void> {
  const script = join(root, 'scripts', 'page.ts');
  const isBuilt = existsSync(join(root, 'dist', 'page', 'index.html'));
  if (isBuilt || !existsSync(script) || !existsSync(join(root, 'node_modules', 'vite'))) return;
  log({ level: 'info', event: 'page-building' });
  const said = await ended(script, root, signal);
  if (signal.aborted) return;
  if (said === '') log({ level: 'info', event: 'page-built' });
  else log({ level: 'warn', event: 'page-not-built', message: said });
}

/** Nothing, or in one line why it failed. */
async function ended(script: string, cwd: string, signal: AbortSignal): Promise<string> {
  return await new Promise((resolve) => {
    const child = spawn(process.execPath, [script], { cwd, signal, stdio: ['ignore', 'ignore', 'pipe'] });
    let last = '';
    child.stderr.on('data', (chunk: Buffer) => {
      last = (chunk.toString().trim() || last).slice(-300);
    });
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(code === 0 ? '' : `scripts/page.ts ended with ${code}: ${last}`));
  });
}
