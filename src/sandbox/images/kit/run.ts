import type { Service } from './service.ts';

/**
 * Time between SIGTERM and closing the port, milliseconds: whoever routes to this pod hears of its end at the same
 * moment as the pod itself, so requests that are already on their way must still find an open port.
 */
const DRAIN_MS = 200;

/** Runs a service as a pod's process: graceful on SIGTERM and SIGINT, exit 1 with a line on stderr when it cannot start. */
export async function runService(service: Service): Promise<void> {
  let ending = false;
  const end = (): void => {
    if (ending) return;
    ending = true;
    setTimeout(() => void service.stop().then(() => process.exit(0)), DRAIN_MS);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  try {
    await service.start();
  } catch (error) {
    process.stderr.write(
      `${JSON.stringify({ service: service.name, error: error instanceof Error ? error.message : String(error) })}\n`,
    );
    process.exit(1);
  }
}
