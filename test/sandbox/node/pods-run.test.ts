import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localAddressOf } from '../../../src/sandbox/contract.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';
import { echo, type Steps, stepsIn } from './cluster-steps.ts';

/** Errors of a connection attempt; `connected` if somebody listens. */
const dial = (host: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve('connected');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  });

describe('pods on the sandbox’s node', () => {
  let steps: Steps;
  let namespace: Awaited<ReturnType<typeof testNamespace>>;
  beforeAll(async () => {
    namespace = await testNamespace('node');
    steps = await stepsIn(namespace.name);
  });
  afterAll(async () => {
    await namespace.remove();
  });

  test('are told by the API server as a kubelet would tell them, with logs and the way in by the pod proxy', async () => {
    await steps.pod('plain', {
      containers: [{ ...echo('2', { ECHO_NAME: '$(HOME_NAME)-$(A)', A: '1' }), args: ['--pod=$(A)'] }],
    });
    const pod = await steps.podUntil('plain', (main) => main.ready);
    expect(pod.status).toMatchObject({
      phase: 'Running',
      podIP: expect.stringMatching(/^10\.244\.\d+\.\d+$/),
      containerStatuses: [
        {
          started: true,
          restartCount: 0,
          imageID: expect.stringMatching(/^backstay-test\/echo@sha256:/),
          containerID: expect.stringMatching(/^backstay:/),
        },
      ],
    });
    expect(pod.status?.conditions?.map(({ type, status }) => `${type}=${status}`).sort()).toEqual([
      'ContainersReady=True',
      'Initialized=True',
      'PodReadyToStartContainers=True',
      'PodScheduled=True',
      'Ready=True',
    ]);
    expect(await steps.logs('plain')).toContain('echo 2 starts\n');
    expect(JSON.parse(await steps.ask('plain', '/argv'))).toEqual(['--pod=1']);
    const env = JSON.parse(await steps.ask('plain', '/env')) as Record<string, string>;
    expect(env).toMatchObject({ HOSTNAME: 'plain', ECHO_FROM_IMAGE: 'image', ECHO_NAME: '$(HOME_NAME)-$(A)' });
    expect(Object.keys(env).filter((name) => /^(VITEST|npm_|NODE_ENV)/.test(name))).toEqual([]);
  });

  test('keep the environment they were started with when their ConfigMap changes, while mounted files follow', async () => {
    const { cluster } = await testCluster();
    await steps.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'app' },
      data: { BACKEND: 'docling', 'app.yaml': 'backend: docling' },
    });
    await steps.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'login' },
      stringData: { PASSWORD: 's3cret' },
    });
    await steps.pod('config', {
      containers: [
        {
          ...echo('1'),
          envFrom: [{ configMapRef: { name: 'app' } }, { prefix: 'DB_', secretRef: { name: 'login' } }],
          volumeMounts: [{ name: 'conf', mountPath: '/etc/app' }],
        },
      ],
      volumes: [{ name: 'conf', configMap: { name: 'app' } }],
    });
    await steps.podUntil('config', (main) => main.ready);
    const env = async (): Promise<Record<string, string>> =>
      JSON.parse(await steps.ask('config', '/env')) as Record<string, string>;
    const file = async (): Promise<string> =>
      await steps.ask(
        'config',
        `/file?path=${encodeURIComponent(`${(await env())['BACKSTAY_VOLUME_CONF'] ?? ''}/app.yaml`)}`,
      );
    expect(await env()).toMatchObject({ BACKEND: 'docling', DB_PASSWORD: 's3cret' });
    expect(await file()).toBe('backend: docling');
    const change = { data: { BACKEND: 'mineru', 'app.yaml': 'backend: mineru' } };
    await cluster.patch(
      { apiVersion: 'v1', kind: 'ConfigMap', namespace: steps.namespace, name: 'app' },
      { type: 'merge', body: change },
    );
    await expect.poll(file, { timeout: 10_000 }).toBe('backend: mineru');
    expect((await env())['BACKEND']).toBe('docling');
    expect((await steps.podUntil('config', () => true)).status?.containerStatuses?.[0]?.restartCount).toBe(0);
  });

  test('wait for a ConfigMap that is missing, say so, and start when it appears', async () => {
    await steps.pod('waits', {
      containers: [{ ...echo('1'), env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'later', key: 'x' } } }] }],
    });
    const waiting = await steps.podUntil(
      'waits',
      (main) => main.state.waiting?.reason === 'CreateContainerConfigError',
    );
    expect(waiting.status).toMatchObject({
      phase: 'Pending',
      containerStatuses: [{ state: { waiting: { message: 'configmap "later" not found' } } }],
    });
    await steps.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'later' }, data: { x: 'here' } });
    await steps.podUntil('waits', (main) => main.ready);
    expect(await steps.ask('waits', '/env')).toContain('"X":"here"');
  });

  test('whose image nobody has end in ImagePullBackOff with a registry’s reason', async () => {
    await steps.pod('no-image', { containers: [{ name: 'main', image: 'backstay-test/echo:9' }] });
    const pod = await steps.podUntil('no-image', (main) => main.state.waiting?.reason === 'ImagePullBackOff');
    expect(pod.status?.phase).toBe('Pending');
    expect(pod.status?.containerStatuses?.[0]?.state.waiting?.message).toMatch(
      /^Back-off pulling image "backstay-test\/echo:9": ErrImagePull: .*not found/,
    );
    await expect
      .poll(async () => Object.keys(await steps.events('no-image')))
      .toEqual(expect.arrayContaining(['Pulling', 'Failed', 'BackOff']));
  });

  test('that crash are started again with back-off, and the log before is still there', async () => {
    await steps.pod('crashes', { containers: [echo('1', { ECHO_CRASH: '3' })] });
    const pod = await steps.podUntil(
      'crashes',
      (main) => main.state.waiting?.reason === 'CrashLoopBackOff' && main.restartCount >= 1,
    );
    expect(pod.status).toMatchObject({
      phase: 'Running',
      containerStatuses: [
        {
          ready: false,
          lastState: { terminated: { exitCode: 3, reason: 'Error' } },
          state: {
            waiting: {
              message: expect.stringMatching(/^back-off \d+m?s restarting failed container=main pod=crashes_/),
            },
          },
        },
      ],
    });
    expect(await steps.logs('crashes', { previous: true })).toContain('crashing as told');
    expect(await steps.logs('crashes', { tailLines: 1 })).toMatch(/^[^\n]+\n$/);
    await expect
      .poll(async () => (await steps.events('crashes'))['BackOff'])
      .toContain('Back-off restarting failed container main');
  });

  test('whose liveness probe fails are restarted, and say why', async () => {
    const probe = { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1, failureThreshold: 1 };
    await steps.pod('lively', { containers: [{ ...echo('1'), livenessProbe: probe }] });
    await steps.podUntil('lively', (main) => main.ready);
    expect(await steps.ask('lively', '/break')).toBe('broken');
    const pod = await steps.podUntil('lively', (main) => main.restartCount === 1 && main.state.running !== undefined);
    expect(pod.status?.containerStatuses?.[0]?.lastState.terminated?.exitCode).toBe(0);
    const events = await steps.events('lively');
    expect(events['Unhealthy']).toBe('Liveness probe failed: HTTP probe failed with statuscode: 503');
    expect(events['Killing']).toBe('Container main failed liveness probe, will be restarted');
  });

  test('run init containers in order before the others, which come up once a startup probe has passed', async () => {
    const init = (name: string, script: string): { name: string; image: string; command: string[] } => ({
      name,
      image: 'backstay-test/echo:1',
      command: ['sh', '-c', script],
    });
    await steps.pod('init', {
      initContainers: [
        init('one', 'printf one >> $BACKSTAY_VOLUME_SHARED/order'),
        init('two', 'printf two >> /shared/order'),
      ].map((container) => ({ ...container, volumeMounts: [{ name: 'shared', mountPath: '/shared' }] })),
      containers: [
        {
          ...echo('1'),
          startupProbe: { httpGet: { path: '/healthz', port: 8080 } },
          volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
        },
      ],
      volumes: [{ name: 'shared', emptyDir: {} }],
    });
    const pod = await steps.podUntil('init', (main) => main.ready);
    expect(
      pod.status?.initContainerStatuses?.map((status) => [status.name, status.ready, status.state.terminated?.reason]),
    ).toEqual([
      ['one', true, 'Completed'],
      ['two', true, 'Completed'],
    ]);
    const env = JSON.parse(await steps.ask('init', '/env')) as Record<string, string>;
    expect(await steps.ask('init', `/file?path=${env['BACKSTAY_VOLUME_SHARED'] ?? ''}/order`)).toBe('onetwo');
  });

  test('that are meant to end do, and keep their log', async () => {
    await steps.pod('once', { restartPolicy: 'Never', containers: [echo('1', { ECHO_RUN_ONCE: '1' })] });
    await steps.podUntil('once', (_main, pod) => pod.status?.phase === 'Succeeded');
    expect(await steps.logs('once')).toContain('echo 1 starts');
    await steps.pod('once-badly', { restartPolicy: 'Never', containers: [echo('1', { ECHO_CRASH: '7' })] });
    const failed = await steps.podUntil('once-badly', (_main, pod) => pod.status?.phase === 'Failed');
    expect(failed.status?.containerStatuses?.[0]?.state.terminated?.exitCode).toBe(7);
  });

  test('are asked to stop, get their grace, and are gone with all their processes', async () => {
    const { cluster } = await testCluster();
    const lifecycle = { preStop: { httpGet: { path: '/unready', port: 8080 } } };
    await steps.pod('stubborn', {
      terminationGracePeriodSeconds: 2,
      containers: [{ ...echo('1', { ECHO_LINGER_MS: '600000' }), lifecycle }],
    });
    const pod = await steps.podUntil('stubborn', (main) => main.ready);
    const address = localAddressOf(pod.status?.podIP ?? '');
    expect(await dial(address, 8080)).toBe('connected');
    await cluster.delete({ apiVersion: 'v1', kind: 'Pod', namespace: steps.namespace, name: 'stubborn' });
    await expect
      .poll(async () => await steps.logs('stubborn').catch(() => ''), { timeout: 5_000 })
      .toMatch(/GET \/unready\n[\s\S]*asked to stop/);
    await steps.until('Pod', 'stubborn', (object) => object === undefined);
    expect(await dial(address, 8080)).toBe('ECONNREFUSED');
  });

  test('end with a program that another image replaces in place', async () => {
    const { cluster } = await testCluster();
    await steps.pod('changes', { containers: [echo('1')] });
    await steps.podUntil('changes', (main) => main.ready);
    const body = { spec: { containers: [{ name: 'main', image: 'backstay-test/echo:2' }] } };
    await cluster.patch(
      { apiVersion: 'v1', kind: 'Pod', namespace: steps.namespace, name: 'changes' },
      { type: 'strategic', body },
    );
    await steps.podUntil('changes', (main) => main.ready && main.image.endsWith(':2') && main.restartCount === 1);
    await expect.poll(async () => await steps.ask('changes', '/')).toContain('"tag":"2"');
  });

  test('find their files again in a claim after they were replaced, and the folder goes with the claim', async () => {
    const { cluster } = await testCluster();
    await steps.create({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    });
    const shell = async (name: string, script: string): Promise<void> => {
      const main = {
        ...echo('1'),
        command: ['sh', '-c', script],
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      };
      const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
      await steps.pod(name, { restartPolicy: 'Never', containers: [main], volumes });
      await steps.podUntil(name, (_main, pod) => pod.status?.phase === 'Succeeded');
    };
    await shell('writes', 'echo kept > /data/file');
    await shell('reads', 'cat /data/file; pwd');
    expect(await steps.logs('reads')).toMatch(/^kept\n/);
    const claim = await steps.until('PersistentVolumeClaim', 'data', (object) =>
      JSON.stringify(object?.['status']).includes('Bound'),
    );
    const volume = `pvc-${claim?.metadata.uid ?? ''}`;
    for (const name of ['writes', 'reads'])
      await cluster.delete({ apiVersion: 'v1', kind: 'Pod', namespace: steps.namespace, name });
    await cluster.delete({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: steps.namespace, name: 'data' });
    await expect
      .poll(async () => await cluster.get({ apiVersion: 'v1', kind: 'PersistentVolume', name: volume }), {
        timeout: 20_000,
      })
      .toBeUndefined();
  });

  test('run a command beside them for whoever asks by WebSocket, and tell its exit code', async () => {
    await steps.pod('exec', { containers: [echo('1')] });
    await steps.podUntil('exec', (main) => main.ready);
    expect(await steps.exec('exec', ['sh', '-c', 'echo $BACKSTAY_IMAGE_TAG; echo bad >&2; exit 4'])).toEqual({
      stdout: '1\n',
      stderr: 'bad\n',
      exitCode: 4,
    });
    expect(await steps.exec('exec', ['node', '-p', '6*7'])).toEqual({ stdout: '42\n', stderr: '', exitCode: 0 });
  });
});
