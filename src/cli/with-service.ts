import { openService } from '../compose.ts';
import type { ServiceDeps } from '../service/deps.ts';
import type { Invocation } from './commands.ts';

/** Opens the journal and the records that a service on this machine stands on, works with them, and closes them. */
export async function withService<T>(
  { terminal, globals }: Invocation,
  work: (service: ServiceDeps) => Promise<T>,
): Promise<T> {
  const service = await openService({
    env: terminal.env,
    cwd: terminal.cwd,
    ...(globals.kubeconfig === undefined ? {} : { kubeconfig: globals.kubeconfig }),
    ...(globals.context === undefined ? {} : { context: globals.context }),
    onWarning: (line) => terminal.note(terminal.err.warn(line)),
  });
  try {
    return await work(service);
  } finally {
    await service.close();
  }
}
