#!/usr/bin/env node
/**
 * The door to every npm script. It runs on whatever Node the machine has (18 or later) and with nothing installed: it
 * brings the packages and the Node that the project needs, and then becomes the task. Nothing to do costs a few
 * milliseconds.
 *
 *   node scripts/bootstrap.mjs TASK [ARGS]         scripts/TASK.ts under the project's Node
 *   node scripts/bootstrap.mjs exec COMMAND [ARGS] a program of node_modules/.bin
 *   node scripts/bootstrap.mjs setup               only the packages and Node
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled, SetupError } from './setup/install.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');

async function main([task, ...args]) {
  if (task === undefined) throw new SetupError('usage: node scripts/bootstrap.mjs TASK [ARGS]');
  const script = join(root, 'scripts', `${task}.ts`);
  if (task !== 'exec' && task !== 'setup' && !existsSync(script))
    throw new SetupError(`there is no task ${task} (no ${script})`);
  await ensureInstalled(root);
  if (task === 'setup') return 0;
  const node = join(bin, 'node');
  const [command, ...rest] =
    task === 'exec' ? [join(bin, args[0] ?? 'node'), ...args.slice(1)] : [node, script, ...args];
  return await become(command, rest);
}

/** Runs the command with our terminal and our signals, and returns its exit code. */
function become(command, args) {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(command, args, { cwd: root, env, stdio: 'inherit' });
  // The terminal sends Ctrl-C to the child as well; it decides what happens, and we report how it ended.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  const signals = { SIGHUP: 129, SIGINT: 130, SIGKILL: 137, SIGTERM: 143 };
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new SetupError(`${command} cannot be started: ${cause.message}`)));
    child.once('close', (code, signal) => resolve(code ?? signals[signal] ?? 1));
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`backstay set-up: ${error.message}\n`);
  process.exitCode = 1;
}
