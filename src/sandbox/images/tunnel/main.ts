/** `node main.ts PROGRAM ARGS`: runs a program of a pod that is not Node, with a DATABASE_URL that it can reach. */
import { spawn } from 'node:child_process';
import { POD_ENV } from '../../contract.ts';
import { openTunnel } from './tunnel.ts';

const [program = '', ...args] = process.argv.slice(2);
const { [POD_ENV.proxy]: proxy, DATABASE_URL: url } = process.env;
const tunnel = proxy === undefined || url === undefined ? undefined : await openTunnel(url, proxy);
const env = { ...process.env, ...(tunnel === undefined ? {} : { DATABASE_URL: tunnel.url }) };
const child = spawn(program, args, { env, stdio: 'inherit' });
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal));
child.once('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(127);
});
child.once('close', (code) => {
  tunnel?.close();
  process.exit(code ?? 1);
});
