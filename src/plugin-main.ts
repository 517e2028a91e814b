/**
 * Entry of `bin/pulumi-resource-kubernetes` and `bin/pulumi-resource-random`: the in-process provider as a plugin of its
 * own, for plain `pulumi up` where the official plugins are not installed. Pulumi finds it on PATH, starts it with the
 * engine's address and reads its port from the first line of output.
 */
import { compose } from './compose.ts';
import { servePackage } from './provider/index.ts';

const [, , name = '', engine = ''] = process.argv;

const { port } = await servePackage(name === 'random' ? 'random' : 'kubernetes', {
  engine,
  surroundingsOf: async (stack) => {
    const composition = await compose({ stack, env: process.env, cwd: process.cwd() });
    const { foreign, readyTimeoutMs } = composition.stack;
    return { cluster: await composition.cluster(), foreign, readyTimeoutMs };
  },
});
process.stdout.write(`${port}\n`);
