import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/model/index.ts';
import { type LocalServer, localServer } from '../hooks/server.ts';
import { testSandbox } from '../support/cluster.ts';
import { type Doorman, doorman } from '../support/doorman.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { echo, type RunAnswer, type Shop, serviceOf, shop } from '../support/shop.ts';

interface Ended extends RunAnswer {
  readonly code?: string;
  readonly exitCode: number;
  readonly undo?: string;
}

/** Taking runs back, by themselves and by a person, with pods that show what they were started with. */
describe('the way back', () => {
  let here: Shop;
  let door: Doorman;
  let site: LocalServer;
  let health = 200;
  let kubectl: Kubectl;
  let good: string;
  let bad: string;

  const configMap = (name: string, v: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: here.namespace },
    data: { VERSION: v },
  });
  const apply = async (release: 'good' | 'bad'): Promise<void> => {
    const { namespace } = here;
    const own = release === 'good' ? 'only-in-good' : 'only-in-bad';
    const items = [
      configMap('settings', release),
      configMap(own, release),
      echo(namespace, 'shop', { reads: ['settings'], env: { RELEASE: release } }),
      // Its template never changes: only a restart brings it the other configuration.
      echo(namespace, 'reader', { reads: ['settings'] }),
      serviceOf(namespace, 'shop'),
      serviceOf(namespace, 'reader'),
    ];
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
      input: { apiVersion: 'v1', kind: 'List', items },
    });
    const other = release === 'good' ? 'only-in-bad' : 'only-in-good';
    await kubectl(['-n', namespace, 'delete', 'configmap', other, '--ignore-not-found']);
    // A person who changes configuration by hand restarts what reads it.
    await kubectl(['-n', namespace, 'rollout', 'restart', 'deployment/reader']);
    for (const name of ['shop', 'reader'])
      await kubectl(['-n', namespace, 'rollout', 'status', `deployment/${name}`, '--timeout=60s']);
  };
  const idNow = async (): Promise<string> => (await here.capture()).id;
  const ended = (stdout: string): Ended => JSON.parse(stdout) as Ended;
  const rollback = (...more: string[]): string[] => [
    'rollback',
    here.name,
    '--to',
    'good',
    '--yes',
    '--allow-unknown-images',
    '--output',
    'json',
    ...more,
  ];
  const versionsSeen = async (): Promise<unknown> => [
    await here.envOf('shop', 'VERSION'),
    await here.envOf('reader', 'VERSION'),
  ];
  const unfinished = async (): Promise<string> => {
    const { items } = await here.machine.json<{ items: { run: string; outcome: string }[] }>(['history', here.name]);
    expect(items[0]).toMatchObject({ outcome: 'unfinished' });
    return items[0]?.run ?? '';
  };

  beforeAll(async () => {
    door = await doorman();
    site = await localServer(() => ({ status: health }));
    here = await shop(
      'undo',
      `  backstay:onInvalid: return
  backstay:hooks:
    - name: pause
      phase: frozen
      timeout: 2m
      action: { kind: http, target: { url: ${door.url}/pause } }
      reverse: { kind: http, target: { url: ${door.url}/unpause } }
    - name: resume
      phase: resumed
      timeout: 2m
      action: { kind: http, target: { url: ${door.url}/resume } }
      reverse: { kind: http, target: { url: ${door.url}/pause-again } }
  backstay:checks:
    - { name: site, kind: http, when: [after], target: { url: ${site.url}/health } }
`,
    );
    kubectl = await kubectlFor((await testSandbox()).kubeconfig);
    await apply('good');
    good = (await here.capture(['--no-checks', '--as', 'good'])).id;
    await apply('bad');
    bad = await idNow();
  });
  afterAll(async () => {
    await here.remove();
    await door.close();
    await site[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    health = 200;
    door.forget();
  });

  it('is not taken by anything automatic', async () => {
    const { stdout } = await here.machine.ok(rollback('--trigger', 'alert'));
    const { run } = ended(stdout);
    const again = await here.machine.refused([
      ...rollback('--trigger', 'alert').slice(0, 3),
      bad.slice(7, 19),
      '--yes',
      '--trigger',
      'alert',
    ]);
    expect(again).toMatchObject({ exit: 7, code: 'PERSON_NEEDED', message: expect.stringContaining(run) });
    expect(await idNow()).toBe(good);
    await here.machine.ok(['undo', run, '--yes', '--allow-unknown-images']);
    expect(await idNow()).toBe(bad);
  });

  it('is taken by the run itself when the target does not pass: exit 3, byte for byte what was before, pods included', async () => {
    health = 503;
    const { code, stdout } = await here.machine.run(rollback());
    expect(ended(stdout)).toMatchObject({
      outcome: 'returned',
      exitCode: 3,
      reason: expect.stringMatching(/site fails: .*503/),
    });
    expect(code).toBe(3);
    expect(await idNow()).toBe(bad);
    expect(await versionsSeen()).toEqual(['bad', 'bad']);
    expect(door.calls).toEqual(['/pause', '/resume', '/pause-again', '/unpause']);
  });

  it.each([
    ['before it wrote anything', '/pause-again', {}],
    ['in the middle of its writes', undefined, { BACKSTAY_FAILPOINT: 'engine.up.before#2' }],
    ['when the engine had written everything', undefined, { BACKSTAY_FAILPOINT: 'engine.up.after#2' }],
    ['when only the pause was left', '/unpause', {}],
  ])('is gone on with after a kill %s', async (_when, path, env) => {
    health = 503;
    const held = path === undefined ? undefined : door.hold(path);
    const run = here.machine.start(rollback(), { env });
    if (held !== undefined) {
      await held.arrived;
      run.child.kill('SIGKILL');
    }
    expect((await run.ended).code).toBe(137);
    const resumed = await here.machine.run(['resume', await unfinished(), '--yes', '--output', 'json']);
    expect(ended(resumed.stdout)).toMatchObject({ outcome: 'returned' });
    expect(resumed.code).toBe(3);
    expect(await idNow()).toBe(bad);
    expect(await versionsSeen()).toEqual(['bad', 'bad']);
    expect(door.calls.filter((call) => call === '/resume')).toHaveLength(1);
  });

  it('is left to a person where the command line says so, who may go back or on', async () => {
    health = 503;
    const { code, stdout } = await here.machine.run(rollback('--on-invalid', 'halt'));
    const first = ended(stdout);
    expect(code).toBe(4);
    expect(first).toMatchObject({
      outcome: 'mixed',
      next: `backstay resume ${first.run}`,
      undo: `backstay undo ${first.run}`,
    });
    expect(await idNow()).toBe(good);
    health = 200;
    const second = await here.machine.json<Ended>(['undo', first.run, '--yes', '--allow-unknown-images']);
    expect(second).toMatchObject({ outcome: 'succeeded', exitCode: 0 });
    expect(await idNow()).toBe(bad);
    expect(await versionsSeen()).toEqual(['bad', 'bad']);
    const over = await here.machine.run(['resume', first.run, '--yes', '--output', 'json']);
    expect(ended(over.stdout)).toMatchObject({ outcome: 'abandoned' });
    expect(await idNow()).toBe(bad);
  });

  it('is taken once by undo, and closed by finalize', async () => {
    const { stdout } = await here.machine.ok(rollback());
    const { run, undo } = ended(stdout);
    expect(undo).toBe(`backstay undo ${run}`);
    expect(await versionsSeen()).toEqual(['good', 'good']);
    const dry = await here.machine.ok(['undo', run, '--dry-run', '--allow-unknown-images']);
    expect(dry.stdout).toContain('dry run: nothing was changed');
    expect(await idNow()).toBe(good);

    const undone = await here.machine.json<Ended>(['undo', run, '--yes', '--allow-unknown-images']);
    expect(undone).toMatchObject({ outcome: 'succeeded' });
    expect(await idNow()).toBe(bad);
    const twice = await here.machine.refused(['undo', run, '--yes']);
    expect(twice).toMatchObject({ exit: 7, code: 'ALREADY_UNDONE', next: expect.stringContaining(undone.run) });
    const { items } = await here.machine.json<{ items: Record<string, unknown>[] }>(['history', here.name]);
    expect(items.find((item) => item['run'] === run)).toMatchObject({ undone: { byRun: undone.run } });
    expect(items.find((item) => item['run'] === undone.run)).toMatchObject({ undoes: run });

    const kept = await here.machine.json<{ items: { id: string; bytes: number; reasons: { why: string }[] }[] }>([
      'kept',
      here.name,
    ]);
    expect(kept.items.find(({ id }) => id === good)?.reasons.map(({ why }) => why)).toEqual(
      expect.arrayContaining(['has the label good', `to undo run ${undone.run}`]),
    );
    expect(kept.items.every(({ bytes }) => bytes > 0)).toBe(true);
    const closed = await here.machine.json<{ removed: string[] }>(['finalize', undone.run, '--yes']);
    expect(closed.removed).toEqual([]);
    const late = await here.machine.refused(['undo', undone.run, '--yes']);
    expect(late).toMatchObject({ exit: 7, code: 'RUN_FINALIZED' });
    const none = await here.machine.ok(['finalize', here.name, '--expired', '--dry-run']);
    expect(none.stdout).toContain('past its retention');
    expect(await here.machine.refused(['finalize', run])).toMatchObject({ code: 'CONFIRMATION_NEEDED', exit: 64 });
  });
});
