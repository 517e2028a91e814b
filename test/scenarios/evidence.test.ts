import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createArchive } from '../../src/adapters/archive/index.ts';
import type { EvidenceManifest, KubeObject } from '../../src/model/index.ts';
import { testSandbox } from '../support/cluster.ts';
import { type Doorman, doorman } from '../support/doorman.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { type PrometheusServer, standInPrometheus } from '../support/prometheus.ts';
import { echo, type RunAnswer, serviceOf, type Shop, shop } from '../support/shop.ts';
import { secret } from '../support/snapshots.ts';

const SECRET = 'correct horse/battery+staple';

interface Bundle {
  readonly path: string;
  readonly digest: string;
  readonly manifest: EvidenceManifest;
}

/** A version that crashes and says its password, in every way in which programs do. */
const CRASHING = `
const secret = process.env.PASSWORD;
console.log('connecting as kg with ' + secret);
console.log(JSON.stringify({ level: 'error', password: secret, url: 'postgres://kg:' + encodeURIComponent(secret) + '@db/kg' }));
console.log('authorization: Basic ' + Buffer.from('kg:' + secret).toString('base64'));
console.error('cannot go on');
process.exit(7);`;

describe('what a failing version left', () => {
  let here: Shop;
  let door: Doorman;
  let kubectl: Kubectl;
  let prometheus: PrometheusServer;
  let run: RunAnswer;
  let bundle: Bundle;
  let files: ReadonlyMap<string, string>;
  const archive = createArchive();

  const failing = (namespace: string): KubeObject => {
    const object = echo(namespace, 'web', { tag: 'v2', secrets: ['db'] }) as unknown as {
      spec: { template: { spec: { containers: Record<string, unknown>[] } } };
    };
    const [container] = object.spec.template.spec.containers;
    if (container !== undefined) {
      container['command'] = ['node', '-e', CRASHING];
      delete container['readinessProbe'];
    }
    return object as unknown as KubeObject;
  };
  const apply = async (objects: readonly KubeObject[]): Promise<string> =>
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
      input: { apiVersion: 'v1', kind: 'List', items: objects },
    });
  const objects = (web: KubeObject): readonly KubeObject[] => [
    secret('db', { PASSWORD: SECRET }, here.namespace),
    serviceOf(here.namespace, 'web'),
    echo(here.namespace, 'calm'),
    web,
  ];

  beforeAll(async () => {
    [door, prometheus] = await Promise.all([doorman(), standInPrometheus()]);
    here = await shop(
      'evidence',
      `  backstay:metrics:
    prometheus: { url: "${prometheus.url}" }
    queries:
      - { name: up, query: up }
      - { name: nobody, query: absent_metric }
      - { name: broken, query: "{{{" }
  backstay:hooks:
    - name: pause
      phase: quiesced
      timeout: 2m
      action: { kind: http, target: { url: ${door.url}/pause } }
`,
    );
    kubectl = await kubectlFor((await testSandbox()).kubeconfig);
    await apply(objects(echo(here.namespace, 'web', { secrets: ['db'] })));
    await kubectl(['-n', here.namespace, 'rollout', 'status', 'deployment/web', '--timeout=60s']);
    await here.capture(['--no-checks', '--as', 'good']);
    await apply(objects(failing(here.namespace)));
    await restarted();
    run = await here.rollback(['--to', 'good', '--reason', 'it crashes']);
    bundle = await here.machine.json<Bundle>(['evidence', run.run]);
    const unpacked = await archive.unpack(await readFile(bundle.path));
    files = new Map(unpacked.map(({ path, content }) => [path, Buffer.from(content).toString()]));
  });
  afterAll(async () => {
    await here.remove();
    await door.close();
    await prometheus[Symbol.asyncDispose]();
  });

  async function restarted(): Promise<void> {
    const kind = await here.cluster.kindOf('v1', 'Pod');
    const stop = new AbortController();
    for await (const event of here.cluster.watch(kind!, { namespace: here.namespace, signal: stop.signal })) {
      if (event.type === 'synced') continue;
      const { containerStatuses = [] } = (event.object['status'] ?? {}) as {
        containerStatuses?: { restartCount: number }[];
      };
      if (containerStatuses.some(({ restartCount }) => restartCount > 0)) stop.abort();
    }
  }

  const find = (pattern: RegExp): string => [...files].find(([path]) => pattern.test(path))?.[1] ?? '';

  it('is kept by the run that took it back: logs of the run before, events, objects, pods, the plan, metrics', () => {
    expect(run.outcome).toBe('succeeded');
    expect(bundle.manifest).toMatchObject({ stack: here.name, run: run.run, kind: 'Evidence', format: 1 });
    expect(find(/^logs\/.*\/echo\.previous\.log$/)).toMatch(/^\d{4}-\S+Z connecting as kg with/);
    expect(find(/^events\.txt$/)).toMatch(/Warning\s+BackOff .*pod\/web-/);
    expect(find(/^objects\/.*\/deployment\.web\.json$/)).toContain('"unavailableReplicas": 1');
    expect(find(/^pods\/.*\/web-.*\.json$/)).toContain('"exitCode": 7');
    expect(JSON.parse(find(/^plan\.json$/))).toMatchObject({ stack: here.name, target: { said: 'good' } });
    expect((JSON.parse(find(/^metrics\/up\.json$/)) as { series: { points: [] }[] }).series[0]?.points).toHaveLength(
      241,
    );
  });

  it('has the pod that failed before those that did not', () => {
    const logs = bundle.manifest.files.filter(({ path }) => path.startsWith('logs/'));
    expect(logs[0]?.source).toContain('web-');
    expect(logs.at(-1)?.source).toContain('calm-');
  });

  it('says what could not be had, and goes on without it', () => {
    expect(bundle.manifest.missing).toEqual([
      { source: 'metric broken', why: expect.stringContaining('Prometheus answers 400, bad_data') },
    ]);
    expect(bundle.manifest.files.find(({ path }) => path === 'metrics/nobody.json')?.note).toContain('no series');
  });

  it('holds no secret, however it was written', () => {
    const whole = [...files.values()].join('\n');
    for (const text of [SECRET, encodeURIComponent(SECRET), 'battery+staple', Buffer.from(SECRET).toString('base64')]) {
      expect(whole).not.toContain(text);
    }
    expect(whole).not.toContain(Buffer.from(`kg:${SECRET}`).toString('base64'));
    expect(find(/previous\.log$/)).toContain('[redacted:db.PASSWORD]');
    expect(bundle.manifest.redacted).toBeGreaterThanOrEqual(3);
  });

  it('is a file of its owner, named with its digest in the journal', async () => {
    expect((await stat(bundle.path)).mode & 0o777).toBe(0o600);
    expect(bundle.path).toBe(join(here.machine.stateDir, 'runs', run.run, 'evidence.tar.gz'));
    const verified = await here.machine.json<object>(['evidence', 'verify', run.run]);
    expect(verified).toMatchObject({ ok: true, anchored: true, digest: bundle.digest });
  });

  it('can be copied, and the copy be proven against the journal', async () => {
    const copy = join(here.machine.dir, 'copy.tar.gz');
    await here.machine.ok(['evidence', run.run, '--out', copy]);
    const verified = await here.machine.json<object>(['evidence', 'verify', copy]);
    expect(verified).toMatchObject({ ok: true, anchored: true, run: run.run });
  });

  it('is refused when one byte of it was changed, and when it was made anew', async () => {
    const altered = join(here.machine.dir, 'altered.tar.gz');
    const unpacked = await archive.unpack(await readFile(bundle.path));
    const changed = unpacked.map(({ path, content }) =>
      path === 'events.txt' ? { path, content: Buffer.from(content).fill('x', 0, 1) } : { path, content },
    );
    await writeFile(altered, await archive.pack(changed));
    const { code, stdout } = await here.machine.run(['evidence', 'verify', altered]);
    expect(code).toBe(7);
    expect(stdout).toContain('events.txt: altered: its digest differs');
    const forged = unpacked.map(({ path, content }) =>
      path === 'manifest.json'
        ? {
            path,
            content: Buffer.from(
              Buffer.from(content)
                .toString()
                .replace('it crashes', '')
                .replace(/"redacted": \d+/, '"redacted": 0'),
            ),
          }
        : { path, content },
    );
    await writeFile(altered, await archive.pack(forged));
    const again = await here.machine.run(['evidence', 'verify', altered]);
    expect(again.code).toBe(7);
    expect(again.stdout).toContain('manifest.json: altered: the journal has');
    await writeFile(altered, (await readFile(bundle.path)).subarray(0, 100));
    expect((await here.machine.run(['evidence', 'verify', altered])).code).toBe(7);
  });

  it('is collected once more, as a whole, by a run that was killed and resumed', async () => {
    await apply(objects(failing(here.namespace)));
    const { arrived, open } = door.hold('/pause');
    const killed = here.machine.start(['rollback', here.name, '--to', 'good', '--yes', '--output', 'json']);
    await arrived;
    killed.child.kill('SIGKILL');
    await killed.ended;
    open();
    const { items } = await here.machine.json<{ items: { run: string }[] }>(['history', here.name]);
    const id = items[0]?.run ?? '';
    await here.machine.ok(['resume', id, '--yes']);
    expect(await here.machine.json<object>(['evidence', 'verify', id])).toMatchObject({ ok: true, anchored: true });
  });

  it('can be collected at any time, without a run', async () => {
    const now = await here.machine.json<Bundle>(['evidence', 'collect', here.name]);
    expect(now.manifest.run).toBeUndefined();
    expect(now.manifest.files.map(({ path }) => path)).toContain('events.txt');
    const verified = await here.machine.json<object>(['evidence', 'verify', now.path]);
    expect(verified).toMatchObject({ ok: true, anchored: false });
  });

  it('is not asked for by a release', async () => {
    await apply(objects(failing(here.namespace)));
    const release = await here.machine.json<RunAnswer>(['apply', here.name, '--to', 'good', '--yes']);
    const { exit, code, message } = await here.machine.refused(['evidence', release.run]);
    expect({ exit, code }).toEqual({ exit: 64, code: 'EVIDENCE_MISSING' });
    expect(message).toContain('a release leaves no failing version');
  });
});
