import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testCluster, testNamespace } from '../../support/cluster.ts';
import { type Steps, stepsIn } from './cluster-steps.ts';

describe('Services and Ingresses of the sandbox', () => {
  let steps: Steps;
  let namespace: Awaited<ReturnType<typeof testNamespace>>;
  beforeAll(async () => {
    namespace = await testNamespace('routes');
    steps = await stepsIn(namespace.name);
    await steps.deployment('blue', '1', { ECHO_NAME: 'blue' }, 2);
    await steps.deployment('green', '2', { ECHO_NAME: 'green' });
    await steps.service('web', 'blue');
    await steps.service('green', 'green');
    const path = (path: string, pathType: string, name: string): object => ({
      path,
      pathType,
      backend: { service: { name, port: { number: 80 } } },
    });
    await steps.create({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web' },
      spec: {
        rules: [
          {
            host: `${steps.namespace}.test`,
            http: { paths: [path('/', 'Prefix', 'web'), path('/headers', 'Exact', 'green')] },
          },
        ],
      },
    });
    const available = (replicas: number) => (object: unknown) =>
      (object as { status?: { availableReplicas?: number } } | undefined)?.status?.availableReplicas === replicas;
    await steps.until('Deployment', 'blue', available(2), 'apps/v1');
    await steps.until('Deployment', 'green', available(1), 'apps/v1');
  });
  afterAll(async () => {
    await namespace.remove();
  });

  const host = (): string => `${steps.namespace}.test`;
  const through = async (path = '/'): Promise<string> => (await steps.ingress(host(), path)).body;

  test('spread requests over the ready pods', async () => {
    await expect.poll(async () => (await steps.ingress(host())).status).toBe(200);
    const pods = new Set<unknown>();
    for (let count = 0; count < 6; count += 1) pods.add((JSON.parse(await through()) as { pod: string }).pod);
    expect(pods.size).toBe(2);
  });

  test('honour host and path rules and say where an Ingress is served', async () => {
    expect((await steps.ingress('other.test')).status).toBe(404);
    expect(JSON.parse(await through('/headers'))).toMatchObject({ host: host(), 'x-forwarded-host': host() });
    expect(await steps.ask(await aPodOf('green'), '/headers')).not.toContain('x-forwarded-host');
    const { sandbox } = await testCluster();
    const port = Number(sandbox.ingress.split(':')[1]);
    const served = await steps.until(
      'Ingress',
      'web',
      (object) => JSON.stringify(object?.['status']).includes(String(port)),
      'networking.k8s.io/v1',
    );
    expect(served?.['status']).toMatchObject({
      loadBalancer: { ingress: [{ ip: '127.0.0.1', ports: [{ port, protocol: 'TCP' }] }] },
    });
  });

  test('move traffic when a Service selects other pods, and say so when it selects none', async () => {
    const { cluster } = await testCluster();
    const select = async (app: string): Promise<void> => {
      await cluster.patch(
        { apiVersion: 'v1', kind: 'Service', namespace: steps.namespace, name: 'web' },
        { type: 'merge', body: { spec: { selector: { app } } } },
      );
    };
    await select('green');
    await expect.poll(async () => await through()).toContain('"name":"green"');
    const answers = await Promise.all(Array.from({ length: 8 }, async () => await through()));
    expect(answers.filter((answer) => !answer.includes('"name":"green"'))).toEqual([]);
    await select('nobody');
    await expect.poll(async () => (await steps.ingress(host())).status).toBe(503);
    await select('blue');
    await expect.poll(async () => await through()).toContain('"name":"blue"');
  });

  test('are reached by pods with their DNS names, and by the API server’s service proxy', async () => {
    const pod = await aPodOf('blue');
    const fetched = async (url: string): Promise<string> =>
      await steps.ask(pod, `/fetch?url=${encodeURIComponent(url)}`);
    expect(await fetched('http://green')).toContain('"name":"green"');
    expect(await fetched(`http://green.${steps.namespace}.svc.cluster.local:80/`)).toContain('"name":"green"');
    expect(await steps.ask(pod, '/dial?host=green&port=80')).toContain('"name":"green"');
    expect(await fetched('http://green:81')).toContain('ECONNREFUSED');
    expect(await fetched('http://nobody')).toContain('ENOTFOUND');
    const { cluster } = await testCluster();
    const answer = await cluster.proxy({
      namespace: steps.namespace,
      service: 'green',
      port: 80,
      method: 'GET',
      path: '/',
    });
    expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('"name":"green"') });
  });

  test('leave out a pod that is no longer ready', async () => {
    const pod = await aPodOf('green');
    expect(await steps.ask(pod, '/unready')).toBe('not ready');
    await expect.poll(async () => (await steps.ingress(host(), '/headers')).status, { timeout: 20_000 }).toBe(503);
  }, 60_000);

  async function aPodOf(app: string): Promise<string> {
    const { cluster } = await testCluster();
    const kind = await cluster.kindOf('v1', 'Pod');
    const pods = kind && (await cluster.list(kind, { namespace: steps.namespace, labelSelector: `app=${app}` }));
    return pods?.items[0]?.metadata.name ?? '';
  }
});
