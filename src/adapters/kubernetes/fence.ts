import type { Cluster, HeldLock, Lock } from '../../ports/index.ts';

/** Keeps a process that lost its stack, or slept through its lease, from writing one more time. */
export interface Fence {
  /** The lock whose holder may write. */
  lock(lock: Lock): Lock;
  /** Every write asks first, and fails with LEASE_LOST. Reads and dry runs pass, and so do writes without any lease. */
  cluster(cluster: Cluster): Cluster;
}

/**
 * A step asks for its lease once and may then write many objects. Here each write asks again, and costs nothing while the
 * last renewal is young: then nobody can have taken the lease. What is left is the moment between that look at the clock and
 * the packet; there the resourceVersion decides, for the writes that carry one (docs/architecture/lease.md).
 */
export function createFence(): Fence {
  let held: HeldLock | undefined;
  const pass = async (): Promise<void> => await held?.assertFresh();
  return {
    lock: (lock) => ({
      look: async (stack) => await lock.look(stack),
      acquire: async (...request) => {
        const own = await lock.acquire(...request);
        held = own;
        return new Proxy(own, {
          get: (target, property) => {
            if (property === 'release') return async (unfinished?: boolean) => await release(target, unfinished);
            const value: unknown = Reflect.get(target, property, target);
            return typeof value === 'function' ? (value.bind(target) as unknown) : value;
          },
        });
      },
    }),
    cluster: (cluster) => ({
      ...cluster,
      create: async (object, options) => {
        if (options?.dryRun !== true) await pass();
        return await cluster.create(object, options);
      },
      apply: async (object, options) => {
        if (options?.dryRun !== true) await pass();
        return await cluster.apply(object, options);
      },
      replace: async (object, options) => {
        if (options?.dryRun !== true) await pass();
        return await cluster.replace(object, options);
      },
      patch: async (ref, patch, options) => {
        if (options?.dryRun !== true) await pass();
        return await cluster.patch(ref, patch, options);
      },
      delete: async (ref, options) => {
        if (options?.dryRun !== true) await pass();
        return await cluster.delete(ref, options);
      },
      proxy: async (request) => {
        if (request.method !== 'GET' && request.method !== 'HEAD') await pass();
        return await cluster.proxy(request);
      },
      exec: async (options) => {
        await pass();
        return await cluster.exec(options);
      },
    }),
  };

  async function release(own: HeldLock, unfinished: boolean | undefined): Promise<void> {
    await own.release(unfinished);
    // What was given back binds nobody; what was lost binds this process for good.
    if (held === own && !own.lost.aborted) held = undefined;
  }
}
