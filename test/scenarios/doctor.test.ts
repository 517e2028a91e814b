import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/model/index.ts';
import { testSandbox } from '../support/cluster.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { echo, serviceOf, type Shop, shop } from '../support/shop.ts';
import { secret } from '../support/snapshots.ts';

interface Finding {
  readonly section: string;
  readonly grade: string;
  readonly subject: string;
  readonly message: string;
  readonly next: string;
}

interface Answer {
  readonly exit: number;
  readonly grade: string;
  readonly findings: readonly Finding[];
  readonly sections: readonly { readonly section: string; readonly grade: string; readonly message: string }[];
}

describe('backstay doctor', () => {
  let here: Shop;
  let kubectl: Kubectl;
  const PASSWORD = 'a-password-of-the-database';

  const ingress = (port: number): KubeObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', namespace: here.namespace },
    spec: {
      rules: [
        {
          host: `${here.name}.example`,
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: port } } } }],
          },
        },
      ],
    },
  });
  const healthy = (): readonly KubeObject[] => [
    // Its data store is the stack's own Service: something that surely listens.
    secret('db', { DATABASE_URL: `postgres://kg:${PASSWORD}@web.${here.namespace}.svc:80/kg` }, here.namespace),
    serviceOf(here.namespace, 'web'),
    echo(here.namespace, 'web', { secrets: ['db'] }),
    ingress(80),
  ];
  const apply = async (objects: readonly KubeObject[]): Promise<string> =>
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
      input: { apiVersion: 'v1', kind: 'List', items: objects },
    });
  const doctor = async (): Promise<Answer> => {
    const { code, stdout } = await here.machine.run(['doctor', here.name, '--output', 'json']);
    return { ...(JSON.parse(stdout) as Answer), exit: code };
  };
  const wrong = ({ findings }: Answer): readonly Finding[] => findings.filter(({ grade }) => grade !== 'unknown');
  const section = (answer: Answer, name: string): Answer['sections'][number] | undefined =>
    answer.sections.find((one) => one.section === name);

  /** Until a pod says so; watches, so that nothing is polled. */
  async function podSays(
    is: (status: { reason?: string; restarts: number; ready: boolean }) => boolean,
  ): Promise<void> {
    const kind = await here.cluster.kindOf('v1', 'Pod');
    const stop = new AbortController();
    for await (const event of here.cluster.watch(kind!, { namespace: here.namespace, signal: stop.signal })) {
      if (event.type === 'synced') continue;
      const { containerStatuses = [] } = (event.object['status'] ?? {}) as {
        containerStatuses?: { ready: boolean; restartCount: number; state?: { waiting?: { reason?: string } } }[];
      };
      for (const { state, restartCount, ready } of containerStatuses) {
        const reason = state?.waiting?.reason;
        if (is({ restarts: restartCount, ready, ...(reason === undefined ? {} : { reason }) })) stop.abort();
      }
    }
  }

  beforeAll(async () => {
    here = await shop(
      'doctor',
      `  backstay:checks:
    - { name: rollout, kind: rollout, when: [capture] }
`,
    );
    kubectl = await kubectlFor((await testSandbox()).kubeconfig);
  });
  afterAll(async () => await here.remove());

  beforeEach(async () => {
    await kubectl(['-n', here.namespace, 'delete', 'deployment,pod', '--all', '--wait=true', '--ignore-not-found']);
    await kubectl(['-n', here.namespace, 'delete', 'events', '--all', '--ignore-not-found']);
    await apply(healthy());
    await kubectl(['-n', here.namespace, 'rollout', 'status', 'deployment/web', '--timeout=60s']);
    await kubectl([
      '-n',
      here.namespace,
      'wait',
      'ingress/web',
      '--for=jsonpath={.status.loadBalancer.ingress}',
      '--timeout=30s',
    ]);
    await here.capture([]);
    // What was said on the way up is no finding of what comes now.
    await kubectl(['-n', here.namespace, 'delete', 'events', '--all', '--ignore-not-found']);
  });

  it('finds nothing wrong with a stack that is well, and asks from inside of it', async () => {
    const answer = await doctor();
    expect(wrong(answer)).toEqual([]);
    expect(answer.exit).toBe(0);
    expect(section(answer, 'names')).toMatchObject({ grade: 'ok' });
    expect(section(answer, 'databases')).toMatchObject({ grade: 'ok', message: '1 data store reached from inside' });
    expect(section(answer, 'drift')).toMatchObject({ grade: 'ok', message: expect.stringContaining('live equals') });
    expect(section(answer, 'keys')?.grade).toBe('ok');
    expect(section(answer, 'engine')?.grade).toBe('ok');
    // The sandbox does not serve metrics.k8s.io: unknown, neither well nor wrong.
    expect(section(answer, 'resources')?.grade).toBe('unknown');
    const { stdout } = await here.machine.ok(['doctor', here.name]);
    expect(stdout).toContain('nothing looks wrong');
    expect(stdout).toContain('SECTION');
  });

  it('names a crashing container, its exit code and what its Service lacks', async () => {
    await kubectl(['-n', here.namespace, 'scale', 'deployment/web', '--replicas=0']);
    const crashing = echo(here.namespace, 'web', { secrets: ['db'] }) as unknown as {
      spec: { template: { spec: { containers: Record<string, unknown>[] } } };
    };
    crashing.spec.template.spec.containers[0]!['command'] = ['node', '-e', 'process.exit(9)'];
    await apply([crashing as unknown as KubeObject]);
    // By then it waits for eight seconds: long enough for a look.
    await podSays(({ restarts, reason }) => restarts >= 4 && reason === 'CrashLoopBackOff');
    const answer = await doctor();
    expect(answer.exit).toBe(1);
    expect(answer.findings[0]?.grade).toBe('bad');
    expect(answer.findings).toContainEqual(
      expect.objectContaining({
        section: 'pods',
        grade: 'bad',
        message: expect.stringMatching(/CrashLoopBackOff.*last exit 9/),
        next: expect.stringMatching(/^kubectl -n \S+ logs web-\S+ --previous$/),
      }),
    );
    expect(answer.findings).toContainEqual(
      expect.objectContaining({
        section: 'workloads',
        grade: 'bad',
        next: `backstay rollback ${here.name} --to known-good --dry-run`,
      }),
    );
    expect(answer.findings).toContainEqual(expect.objectContaining({ section: 'services', grade: 'bad' }));
    expect(answer.findings).toContainEqual(
      expect.objectContaining({ section: 'drift', next: `backstay diff ${here.name} --to known-good` }),
    );
  });

  it('names an image that cannot be pulled', async () => {
    await kubectl(['-n', here.namespace, 'set', 'image', 'deployment/web', 'echo=backstay/echo:v99']);
    await podSays(({ reason }) => reason === 'ImagePullBackOff' || reason === 'ErrImagePull');
    const answer = await doctor();
    expect(answer.exit).toBe(1);
    expect(answer.findings).toContainEqual(
      expect.objectContaining({ section: 'pods', grade: 'bad', message: expect.stringContaining('echo:v99') }),
    );
    // The old pod still answers: the route is open.
    expect(section(answer, 'services')?.grade).toBe('ok');
  });

  it('names a Service without endpoints, a route to no port and a data store that nobody answers for', async () => {
    await kubectl([
      '-n',
      here.namespace,
      'patch',
      'service/web',
      '--type=merge',
      '-p',
      '{"spec":{"selector":{"app":"nobody"}}}',
    ]);
    await apply([ingress(8081)]);
    const answer = await doctor();
    expect(answer.exit).toBe(1);
    expect(answer.findings).toContainEqual(
      expect.objectContaining({ section: 'services', grade: 'bad', message: expect.stringContaining('app=nobody') }),
    );
    expect(answer.findings).toContainEqual(
      expect.objectContaining({ section: 'ingress', grade: 'bad', message: expect.stringContaining('port 8081') }),
    );
    expect(answer.findings).toContainEqual(expect.objectContaining({ section: 'databases', grade: 'bad' }));
    expect(JSON.stringify(answer)).not.toContain(PASSWORD);
  });

  it('names a lock that somebody left on the state of the engine', async () => {
    const folder = join(here.machine.stateDir, 'pulumi', '.pulumi', 'locks', 'organization', 'backstay', here.name);
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, 'x.json'),
      JSON.stringify({ pid: 7, username: 'ada', hostname: 'laptop', timestamp: '2026-01-01T00:00:00Z' }),
    );
    const answer = await doctor();
    await rm(folder, { recursive: true });
    expect(answer.exit).toBe(1);
    expect(answer.findings).toContainEqual(
      expect.objectContaining({
        section: 'engine',
        message: 'is locked by ada@laptop (process 7) since 2026-01-01T00:00:00Z',
      }),
    );
  });

  it('changes nothing', async () => {
    const before = await here.versions();
    await doctor();
    expect(await here.versions()).toEqual(before);
  });
});
