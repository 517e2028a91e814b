import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLeaseLock } from '../../../src/adapters/kubernetes/lease.ts';
import { processMark } from '../../../src/adapters/kubernetes/process-mark.ts';
import { createLeaseTable, type LeaseStore } from '../../../src/adapters/postgres/store/lease-table.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import { holderOf, lockContract } from '../../contracts/lock.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

let server: TestPostgres;
let table: LeaseStore;

beforeAll(async () => {
  server = await startTestPostgres();
  table = createLeaseTable(async () => ({ connection: server.connection('postgres'), password: server.password }));
});
afterAll(async () => await server.stop());

const newStack = (): string => `s-${randomBytes(4).toString('hex')}`;
const lockOn = (durationMs = 3_000) =>
  createLeaseLock(table, { namespace: 'none', clock: createSystemClock(), durationMs });

lockContract('lease in a database', async () => ({
  lock: lockOn(),
  newStack,
  dies: async (stack) => {
    const ref = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', name: `backstay-${stack}` };
    const process = JSON.stringify({ ...(await processMark()), pid: 2 ** 30, life: 'gone' });
    for (;;) {
      const lease = await table.get(ref);
      if (lease === undefined) throw new TypeError('nobody holds it');
      const annotations = { ...lease.metadata.annotations, 'backstay.dev/process': process };
      const written = await table
        .replace({ ...lease, metadata: { ...lease.metadata, annotations } })
        .catch(() => undefined);
      if (written !== undefined) return;
    }
  },
}));

describe('the lease in a database', () => {
  it('is taken from a holder of another machine that does not renew for its duration', async () => {
    const stack = newStack();
    const name = `backstay-${stack}`;
    await table.create({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, annotations: { 'backstay.dev/holder': JSON.stringify(holderOf('run-1')) } },
      spec: { holderIdentity: 'run-1', leaseDurationSeconds: 1, leaseTransitions: 4 },
    });
    const taken = await lockOn().acquire(stack, holderOf('run-1'));
    expect(taken.token).toBe(5);
    expect(taken.takeover?.reason).toBe('not renewed for 1 s');
    await taken.release();
  });

  it('is refused at the holder’s next renewal, which is told and not waited for', async () => {
    const stack = newStack();
    const first = await lockOn(60_000).acquire(stack, holderOf('run-1'));
    const asked = lockOn(60_000).acquire(stack, holderOf('run-2'));
    first.enter('applied');
    await expect(asked).rejects.toMatchObject({ code: 'LEASE_HELD' });
    await first.release();
  });

  it('leaves no connection behind', async () => {
    const rows = await server.run(
      'postgres',
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name LIKE 'backstay%'`,
    );
    expect(rows).toEqual([{ n: 0 }]);
  });
});
