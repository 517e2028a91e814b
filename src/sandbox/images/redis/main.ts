import { startRedis } from './server.ts';

try {
  const server = await startRedis(process.env);
  const stop = (): void => void server.stop();
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.exitCode = await server.exited;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
