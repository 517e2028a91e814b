import type { ReachedStack, ServiceDeps } from '../../src/service/deps.ts';
import { memoryLock } from '../rollback/memory-lock.ts';

/** Everything is real but the cluster behind a stack, which asking for a run only looks at for its lease. */
export function withoutClusters(deps: ServiceDeps): ServiceDeps {
  const lock = memoryLock();
  return {
    ...deps,
    withStack: async (name, by, work) => {
      const { journal, journalName, clock } = deps;
      const reporter = { report: () => undefined };
      const stack = await deps.stack(name);
      const reached = { stack, requestDeps: async () => ({ stack, by, journal, journalName, clock, reporter, lock }) };
      return await work(reached as unknown as ReachedStack);
    },
  };
}
