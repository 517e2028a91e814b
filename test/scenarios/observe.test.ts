import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject, Observation } from '../../src/model/index.ts';
import type { Running } from '../support/backstay.ts';
import { testNamespace, testSandbox } from '../support/cluster.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { echo, type RunAnswer, serviceOf, type Shop, shop } from '../support/shop.ts';
import { secret } from '../support/snapshots.ts';

const PASSWORD = 'correct horse/battery+staple';

/** Well until it is told to break: then users are refused, and it says why, with a password in it. */
const PROGRAM = `
let broken = false;
require('node:http').createServer((request, response) => {
  if (request.url === '/break') {
    broken = true;
    setInterval(() => console.error('ERROR quota ' + Date.now() + ' exceeded for ' + process.env.PASSWORD), 200);
  }
  const isRefused = broken && request.url === process.env.REFUSES;
  response.writeHead(isRefused ? 503 : 200).end();
}).listen(8080);
console.log('INFO listening');
console.error('ERROR cache 1 is cold');`;

/** S10: on real pods and their real logs. */
describe('the time after a run', { timeout: 180_000 }, () => {
  let here: Shop;
  let next: Awaited<ReturnType<typeof testNamespace>>;
  let kubectl: Kubectl;
  let rollback: RunAnswer & { readonly observe?: string };
  let run: string;
  const started: Running[] = [];

  const program = (namespace: string, refuses: string, tag: string): KubeObject => {
    const object = echo(namespace, 'web', { tag, secrets: ['db'], env: { REFUSES: refuses } });
    const pod = object as unknown as { spec: { template: { spec: { containers: Record<string, unknown>[] } } } };
    const [container] = pod.spec.template.spec.containers;
    if (container !== undefined) container['command'] = ['node', '-e', PROGRAM];
    return object;
  };
  const apply = async (namespace: string, refuses: string, tag: string): Promise<void> => {
    const items = [
      secret('db', { PASSWORD }, namespace),
      serviceOf(namespace, 'web'),
      program(namespace, refuses, tag),
    ];
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
      input: { apiVersion: 'v1', kind: 'List', items },
    });
    await kubectl(['rollout', 'status', '-n', namespace, 'deployment/web', '--timeout=60s']);
  };
  const breakIn = async (namespace: string): Promise<void> => {
    await here.cluster.proxy({ namespace, service: 'web', port: 80, method: 'GET', path: '/break' });
  };
  const observe = (...more: readonly string[]): Running => {
    const one = here.machine.start(['observe', run, ...more, '--output', 'json']);
    started.push(one);
    return one;
  };

  beforeAll(async () => {
    next = await testNamespace('next-door');
    here = await shop(
      'observe',
      `  backstay:observe:
    every: 300ms
    watches:
      - { name: front, for: 600ms, measure: { kind: failing, target: { url: /, via: { service: web, port: 80 } } } }
    checks: [health]
    logs: {}
    neighbours: [${next.name}]
  backstay:checks:
    - { name: health, kind: http, target: { url: /health, via: { service: web, port: 80 } }, timeout: 5s }
`,
    );
    kubectl = await kubectlFor((await testSandbox()).kubeconfig);
    await apply(next.name, '/health', 'v1');
    await apply(here.namespace, '/', 'v1');
    await here.capture(['--no-checks', '--as', 'good']);
    await apply(here.namespace, '/', 'v2');
    rollback = await here.rollback(['--to', 'good']);
    ({ run } = rollback);
  });
  afterAll(async () => {
    for (const { child } of started) child.kill('SIGKILL');
    await Promise.all(started.map(async ({ ended }) => await ended));
    await here.remove();
    await next.remove();
  });

  it('is told by the run itself: how to watch it', async () => {
    expect(rollback.observe).toBe(`backstay observe ${run}`);
  });

  it('is quiet while everything is as it was, whatever the old version had logged', async () => {
    const { code, stdout } = await observe('--for', '3s').ended;
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'Observation', run, outcome: 'quiet' });
    expect(code).toBe(0);
  });

  it('shows what breaks, in the stack and next door, goes on after a kill, and gives no secret away', async () => {
    const first = observe('--for', '60s');
    await first.said('watching');
    first.child.kill('SIGKILL');
    await first.ended;
    const second = observe();
    await second.said('pass');
    await Promise.all([breakIn(here.namespace), breakIn(next.name)]);
    await second.said(`neighbours ${next.name}`);
    await Promise.all([second.said('new: ERROR quota'), second.said('is above 0.5'), second.said('available')]);
    second.child.kill('SIGINT');
    expect(await second.ended).toMatchObject({ code: 130 });
    const { code, stdout, stderr } = await observe('--for', '1s').ended;
    const { subjects, outcome } = JSON.parse(stdout) as Pick<Observation, 'subjects'> & { outcome: string };
    expect({ code, outcome }).toEqual({ code: 1, outcome: 'disturbed' });
    const failed = subjects.filter(({ findings }) => findings.some(({ verdict }) => verdict === 'fail'));
    expect(failed.map(({ name }) => name)).toEqual(['watch front', 'logs', `neighbours ${next.name}`]);
    expect(stdout).toContain('[redacted:db.PASSWORD]');

    const { stdout: written } = await here.machine.ok(['report', run]);
    expect(written).toContain('## What came after');
    expect(written).toContain('ERROR quota');
    for (const text of [stdout, stderr, written]) expect(text).not.toContain(PASSWORD);
  });
});
