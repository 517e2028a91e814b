import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spell } from '../../src/actions/report/words.ts';
import type { KubeObject } from '../../src/model/index.ts';
import { echo, type RunAnswer, serviceOf, type Shop, shop } from '../support/shop.ts';

interface Measured {
  readonly run: string;
  readonly downtime: readonly { readonly probe: string; readonly downMs: number; readonly unknownMs: number }[];
}

/** Each prober sees an outage up to an interval late at both ends; the rest is the time that an answer takes. */
const SLACK_MS = 600;

describe('the downtime of a run', () => {
  let here: Shop;

  /** The old pod goes before the new one comes, so that the route is really down in between. */
  const gateway = (v: string): KubeObject => {
    const made = echo(here.namespace, 'gateway', { env: { V: v } });
    return { ...made, spec: { ...(made['spec'] as object), strategy: { type: 'Recreate' } } };
  };

  /** Asks by itself, each answer after the other; its outage is from the first failing request to the first good one. */
  const watch = (): { stop(): Promise<number> } => {
    const stopping = new AbortController();
    const done = (async () => {
      let downMs = 0;
      let downSince: number | undefined;
      while (!stopping.signal.aborted) {
        const began = performance.now();
        const asked = { namespace: here.namespace, service: 'gateway', port: 80, method: 'GET', path: '/health' };
        const isUp = await here.cluster.proxy(asked).then(
          ({ status }) => status === 200,
          () => false,
        );
        if (!isUp) downSince ??= began;
        else if (downSince !== undefined) {
          downMs += began - downSince;
          downSince = undefined;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return downMs + (downSince === undefined ? 0 : performance.now() - downSince);
    })();
    return {
      stop: async () => {
        stopping.abort();
        return await done;
      },
    };
  };

  beforeAll(async () => {
    here = await shop(
      'downtime',
      `  backstay:probes:
    - name: users
      target: { url: /health, via: { service: gateway, port: 80 } }
      interval: 100ms
`,
    );
    await here.import('good', [gateway('good'), serviceOf(here.namespace, 'gateway')]);
    await here.import('bad', [gateway('bad'), serviceOf(here.namespace, 'gateway')]);
    for (const label of ['good', 'bad'])
      await here.machine.ok(['apply', here.name, '--to', label, '--yes', '--allow-unsigned']);
  });
  afterAll(async () => await here.remove());

  it('is what somebody else measured meanwhile, and stands in everything that is told of the run', async () => {
    const independent = watch();
    const answer = (await here.rollback(['--to', 'good'])) as RunAnswer & Measured;
    const seenMs = await independent.stop();
    const [users] = answer.downtime;
    expect(users?.probe).toBe('users');
    expect(users?.downMs).toBeGreaterThan(0);
    expect(Math.abs((users?.downMs ?? 0) - seenMs)).toBeLessThan(SLACK_MS);
    expect(users?.unknownMs).toBeLessThan(SLACK_MS);

    const html = await readFile(join(here.machine.stateDir, 'runs', answer.run, 'report.html'), 'utf8');
    expect(html).toContain(`>down ${spell(users?.downMs ?? 0)}<`);
    const { items } = await here.machine.json<{ items: { downMs: number; trigger: string }[] }>(['history', here.name]);
    expect(items[0]).toMatchObject({ downMs: users?.downMs, trigger: 'person' });
    const { all } = await here.machine.json<{ all: { runs: number; downtime: { totalMs: number } } }>([
      'stats',
      here.name,
      '--by',
      'scope',
    ]);
    expect(all.runs).toBe(3);
    expect(all.downtime.totalMs).toBeGreaterThanOrEqual(users?.downMs ?? 0);
  });

  it('is noted beside its cause, and the next plan knows how long it will take', async () => {
    const { items } = await here.machine.json<{ items: { run: string }[] }>(['history', here.name]);
    const run = items[0]?.run ?? '';
    await here.machine.ok(['note', run, '--root-cause', 'V was bad', '--follow-up', 'test V', '--impact', 'no orders']);
    await here.machine.ok(['note', run, '--follow-up', 'alert on V']);
    const out = join(here.machine.dir, 'page.html');
    await here.machine.ok(['report', run, '--format', 'html', '--out', out]);
    const page = await readFile(out, 'utf8');
    for (const said of ['V was bad', 'no orders', 'test V', 'alert on V']) expect(page).toContain(said);
    expect(await here.machine.refused(['note', run])).toMatchObject({ exit: 64, code: 'USAGE' });
    expect(await here.machine.refused(['note', 'nope', '--impact', 'x'])).toMatchObject({ code: 'RUN_UNKNOWN' });

    const plan = await here.machine.json<{ steps: { id: string; expected?: { ms: number; runs: number } }[] }>([
      'rollback',
      here.name,
      '--to',
      'bad',
      '--dry-run',
    ]);
    expect(plan.steps.find(({ id }) => id === 'apply')?.expected?.runs).toBe(3);
    const { stdout } = await here.machine.ok(['rollback', here.name, '--to', 'bad', '--dry-run']);
    expect(stdout).toMatch(/Takes about .+, from 3 runs before\./);
  });
});
