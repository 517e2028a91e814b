import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/model/index.ts';
import type { Doorman } from '../support/doorman.ts';
import { type HeldStack, heldStack } from '../support/held-stack.ts';
import { type JournalServer, journalServer } from '../support/journal-server.ts';
import { type Serving, serving } from '../support/serving.ts';
import type { Shop } from '../support/shop.ts';

interface Started {
  readonly run: string;
  readonly state: string;
}

interface Seen {
  readonly state: string;
  readonly phase: string;
  readonly outcome?: string;
  readonly undo?: string;
  readonly undone?: { readonly byRun: string };
}

/** W1 and W2: runs over HTTP on a real API server, by real services that are killed while they work. */
describe('a service that carries runs', { timeout: 180_000 }, () => {
  let stack: HeldStack;
  let here: Shop;
  let door: Doorman;
  let good: string;
  let bad: string;
  const open: Serving[] = [];

  const idNow = async (): Promise<string> => await stack.idNow();
  const serve = async (env: Readonly<Record<string, string>> = {}): Promise<Serving> => {
    const one = await serving(here.machine, env);
    open.push(one);
    return one;
  };
  const begin = async (service: Serving): Promise<string> => {
    const { plan } = await service.json<{ plan: { hash: string } }>(201, 'POST', `/v1/stacks/${here.name}/plans`, {
      target: 'good',
    });
    return (await service.json<Started>(202, 'POST', '/v1/runs', { plan: plan.hash })).run;
  };
  const seen = async (service: Serving, run: string): Promise<Seen> =>
    await service.json<Seen>(200, 'GET', `/v1/runs/${run}`);
  const over = async (service: Serving, run: string): Promise<Seen> => {
    await service.events(`/v1/runs/${run}/events`, ({ event }) => event === 'end');
    return await seen(service, run);
  };
  /** Processes that were started for a run, by their own log. */
  const starts = async (run: string, stateDir = here.machine.stateDir): Promise<number> =>
    (await readFile(join(stateDir, 'runs', run, 'service.log'), 'utf8'))
      .split('\n')
      .filter((line) => line.includes('"kind":"Start"')).length;
  /** Of the run that the service started last. */
  const processOf = ({ log }: Serving): number =>
    Number(log.findLast(({ event }) => event === 'run.process-started')?.['pid']);

  beforeAll(async () => {
    stack = await heldStack('served', ['pause'], '  backstay:cluster: { leaseDuration: 3s }\n');
    ({ here, door, good, bad } = stack);
  });
  afterAll(async () => await stack.remove());
  beforeEach(async () => {
    await stack.apply('bad');
    door.forget();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map(async (service) => await service.stop()));
  });

  it('plans, carries out, tells every event once over a lost connection, and takes the run back', async () => {
    const service = await serve();
    const { arrived, open: letGo } = door.hold('/pause');
    const run = await begin(service);
    const before = await service.events(`/v1/runs/${run}/events`, ({ event }) => event === 'step.started');
    await arrived;
    letGo();
    const last = before.at(-1)?.id ?? '';
    const after = await service.events(`/v1/runs/${run}/events`, ({ event }) => event === 'end', last);
    const ids = [...before, ...after].flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));
    const stored = await service.events(`/v1/runs/${run}/events`, ({ event }) => event === 'end');
    expect(ids).toEqual(stored.flatMap(({ id }) => (id === undefined ? [] : [Number(id)])));
    const events = stored.filter(({ event }) => event !== 'end').map(({ data }) => JSON.parse(data) as RunEvent);
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_event, i) => i + 1));
    expect(await seen(service, run)).toMatchObject({
      state: 'ended',
      outcome: 'succeeded',
      phase: 'completed',
      undo: `backstay undo ${run}`,
    });
    expect([await idNow(), await starts(run)]).toEqual([good, 1]);
    const back = await service.json<Started>(202, 'POST', `/v1/runs/${run}/undo`, { reason: 'it was not that' });
    expect(await over(service, back.run)).toMatchObject({ outcome: 'succeeded' });
    expect(await seen(service, run)).toMatchObject({ undone: { byRun: back.run } });
    expect(await idNow()).toBe(bad);
    await service.json(200, 'POST', `/v1/runs/${back.run}/finalize`);
    expect(await seen(service, back.run)).toMatchObject({ finalized: { because: 'person' } });
  });

  it('that is killed leaves its run at work, and the next one watches it to its end', async () => {
    const first = await serve();
    const { arrived, open: letGo } = door.hold('/pause');
    const run = await begin(first);
    await arrived;
    await first.kill();
    const second = await serve();
    expect((await seen(second, run)).state).toBe('running');
    letGo();
    expect(await over(second, run)).toMatchObject({ outcome: 'succeeded' });
    expect([await starts(run), door.calls, await idNow()]).toEqual([1, ['/pause'], good]);
  });

  it('that is killed with the process of its run has it gone on with by the next one', async () => {
    const first = await serve();
    const { arrived, open: letGo } = door.hold('/pause');
    const run = await begin(first);
    await arrived;
    await first.kill();
    process.kill(processOf(first), 'SIGKILL');
    letGo();
    const second = await serve();
    expect(await over(second, run)).toMatchObject({ outcome: 'succeeded' });
    expect([await starts(run), await idNow()]).toEqual([2, good]);
  });

  it('does what was shown, though the stack file says something else by now; the next plan is of the new one', async () => {
    const file = join(here.machine.projectDir, 'stacks', `Pulumi.${here.name}.yaml`);
    const text = await readFile(file, 'utf8');
    const service = await serve();
    try {
      const { arrived, open: letGo } = door.hold('/pause');
      const run = await begin(service);
      await arrived;
      const added = `    - { name: added, phase: frozen, action: { kind: http, target: { url: ${door.url}/added } } }\n`;
      await writeFile(
        file,
        text.replace('  backstay:hooks:\n', (hooks) => hooks + added),
      );
      // Whoever goes on with it has read the new file.
      process.kill(processOf(service), 'SIGKILL');
      letGo();
      expect(await over(service, run)).toMatchObject({ outcome: 'succeeded' });
      expect([await starts(run), await idNow()]).toEqual([2, good]);
      expect(door.calls).not.toContain('/added');
      await stack.apply('bad');
      const next = await begin(service);
      expect(await over(service, next)).toMatchObject({ outcome: 'succeeded' });
      expect(door.calls).toContain('/added');
    } finally {
      await writeFile(file, text);
    }
  });

  it('stops a run between two steps when somebody cancels it', async () => {
    const service = await serve();
    const { arrived, open: letGo } = door.hold('/pause');
    const run = await begin(service);
    await arrived;
    await service.json(202, 'POST', `/v1/runs/${run}/cancel`, { reason: 'the wrong stack' });
    await expect
      .poll(() => service.log.some(({ event }) => event === 'run.told-to-stop'), { timeout: 60_000 })
      .toBe(true);
    letGo();
    expect(await over(service, run)).toMatchObject({ outcome: 'cancelled' });
    expect([door.calls, await idNow()]).toEqual([['/pause', '/unpause'], bad]);
  });

  describe('beside another one on one journal', () => {
    let server: JournalServer;
    beforeAll(async () => {
      server = await journalServer();
    });
    afterAll(async () => {
      await server.stop();
    });

    it('goes on, and its runs with it, when the server of the journal is started again in the middle', async () => {
      const service = await serve({ BACKSTAY_DATABASE_URL: await server.database() });
      const { arrived, open: letGo } = door.hold('/pause');
      const run = await begin(service);
      await arrived;
      const heard = service.events(`/v1/runs/${run}/events`, ({ event }) => event === 'end');
      await server.kill();
      await server.restart();
      letGo();
      expect(await over(service, run)).toMatchObject({ outcome: 'succeeded' });
      expect(await here.get('ConfigMap', 'a')).toMatchObject({ data: { v: 'good' } });
      const sequences = (await heard).flatMap(({ event, data }) =>
        event === 'end' ? [] : [(JSON.parse(data) as RunEvent).sequence],
      );
      expect(sequences).toEqual(sequences.map((_one, i) => i + 1));
    });

    it('one of them carries a run; when it dies with it, the other one goes on', async () => {
      const url = await server.database();
      const env = (host: string) => ({
        BACKSTAY_DATABASE_URL: url,
        BACKSTAY_HOST: host,
        BACKSTAY_STATE_DIR: join(here.machine.dir, host),
      });
      const both = await Promise.all([serve(env('left')), serve(env('right'))]);
      const { arrived, open: letGo } = door.hold('/pause');
      const run = await begin(both[0]);
      await arrived;
      const carrying = both.filter((service) => processOf(service) > 0);
      expect(carrying).toHaveLength(1);
      const [dies, goesOn] = carrying[0] === both[0] ? both : [both[1], both[0]];
      await dies.kill();
      process.kill(processOf(dies), 'SIGKILL');
      letGo();
      expect(await over(goesOn, run)).toMatchObject({ outcome: 'succeeded' });
      expect(processOf(goesOn)).toBeGreaterThan(0);
      expect(await here.get('ConfigMap', 'a')).toMatchObject({ data: { v: 'good' } });
    });
  });
});
