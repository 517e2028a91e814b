import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { carryOn, newestRun } from '../../scripts/chaos/case.ts';
import { endAll, type Ended, spawned } from '../../scripts/chaos/processes.ts';
import { World } from '../../scripts/chaos/world.ts';
import { testSandbox } from '../support/cluster.ts';

/**
 * A limit on the size of files stands for the full disk: it needs no rights and no disk of its own, and the system refuses
 * to write beyond it in the middle of a run as a full disk does.
 */
const LIMITED = 'trap "" XFSZ; limit=$1; shift; ulimit -f "$limit"; exec "$@"';
const BIN = join(import.meta.dirname, '..', '..', 'bin', 'backstay');

let world: World;
let target: ReadonlyMap<string, string>;

beforeAll(async () => {
  const { kubeconfig, dir } = await testSandbox();
  world = await World.make({ kubeconfig, auditLog: join(dir, 'logs', 'audit.jsonl') });
  await world.reset();
  const { code, stderr } = await carryOn(world, undefined, undefined);
  if (code !== 0) throw new TypeError(stderr);
  target = await world.form();
});
afterAll(async () => {
  endAll();
  await world.remove();
});

async function rollback(blocks: number): Promise<Ended> {
  const command = [BIN, 'rollback', world.stack, '--to', 'good', '--reason', 'disk', '--yes', '--output', 'json'];
  return await spawned('bash', ['-c', LIMITED, 'bash', String(blocks), ...command], world.env).ended;
}

describe('a disk that is full in the middle of a run', () => {
  it.each([96, 160])(
    'ends it at %d KiB with a named error that says how it goes on, and resume completes it once there is room',
    { timeout: 90_000 },
    async (kib) => {
      await world.reset();
      const former = await newestRun(world);
      const ended = await rollback(kib);
      const run = await newestRun(world);
      const error = JSON.parse(ended.stdout) as { readonly code: string; readonly next: string };
      if (run === former) {
        // Refused before there was a run: nothing was changed.
        expect(error.code).toMatch(/^(STORAGE_UNWRITABLE|CLUSTER_UNREACHABLE)$/);
        expect(ended.code).toBe(1);
      } else {
        expect(ended.code).toBe(4);
        expect(error.next).toContain(`backstay resume ${run}`);
      }
      const resumed = await carryOn(world, run === former ? undefined : run, undefined);
      expect(resumed).toMatchObject({ code: 0 });
      expect(await world.form()).toEqual(target);
      expect(await world.holder()).toBe('');
    },
  );
});
