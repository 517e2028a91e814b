import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { faultsFileOf, workloadOf } from '../../../../src/sandbox/node/pods/faults.ts';
import { type LaunchInput, planLaunch, volumeVariable } from '../../../../src/sandbox/node/pods/launch.ts';
import type { Container } from '../../../../src/sandbox/node/pods/pod-types.ts';
import { podOf } from '../pods-for-tests.ts';

const launch = (parts: Partial<Container>, env: Record<string, string> = {}): ReturnType<typeof planLaunch> => {
  const container: Container = { name: 'main', ...parts };
  const image = {
    repository: 'r',
    tags: ['7'],
    entry: '/images/r.mjs',
    args: ['--image'],
    env: { FROM: 'image', KEEP: 'image', MORE: '/app/bin:$(PATH)', ODD: '$(FROM)' },
  };
  const input: LaunchInput = {
    pod: podOf({ containers: [container] }),
    container,
    env,
    pulled: { image, tag: '7', imageID: 'r@sha256:0' },
    hostEnv: { PATH: '/bin' },
    podIP: '10.244.3.7',
    proxy: '127.0.0.1:9',
    dataDir: '/data',
    faultsFile: '/faults.json',
    volumes: new Map([
      ['app-config', '/v/app-config'],
      ['data', '/v/data'],
    ]),
    node: '/node',
    preload: 'file:///preload.mjs',
  };
  return planLaunch(input);
};

describe('the command line of a container', () => {
  test.each<[string, Partial<Container>, string, string[]]>([
    ['the image’s program', {}, '/node', ['--import', 'file:///preload.mjs', '/images/r.mjs', '--image']],
    [
      'the image’s program with the container’s args',
      { args: ['$(FROM)', '$$(FROM)'] },
      '/node',
      ['--import', 'file:///preload.mjs', '/images/r.mjs', 'image', '$(FROM)'],
    ],
    ['a command of its own', { command: ['sh', '-c'], args: ['echo'] }, 'sh', ['-c', 'echo']],
    ['node as a command', { command: ['node', '-e', '1'] }, '/node', ['--import', 'file:///preload.mjs', '-e', '1']],
  ])('is %s', (_title, parts, file, args) => {
    expect(launch(parts)).toMatchObject({ file, args });
  });

  test('has the pod’s environment over the image’s, and nothing else of this machine', () => {
    const { env } = launch({}, { FROM: 'pod' });
    expect(env).toMatchObject({
      PATH: '/bin',
      FROM: 'pod',
      KEEP: 'image',
      // As `ENV MORE=/app/bin:$PATH` of an image; what is not the machine's stays as it is written.
      MORE: '/app/bin:/bin',
      ODD: '$(FROM)',
      HOSTNAME: 'web-1',
      BACKSTAY_POD_ADDRESS: '127.244.3.7',
      BACKSTAY_POD_PROXY: '127.0.0.1:9',
      BACKSTAY_POD_NAMESPACE: 'shop',
      BACKSTAY_IMAGE_TAG: '7',
      BACKSTAY_POD_DATA: '/data',
      BACKSTAY_POD_FAULTS: '/faults.json',
      [volumeVariable('app-config')]: '/v/app-config',
    });
    expect(Object.keys(env).filter((name) => name.startsWith('VITEST'))).toEqual([]);
  });

  test('points paths below a mount at the volume’s folder', () => {
    const volumeMounts = [
      { name: 'app-config', mountPath: '/etc/app' },
      { name: 'data', mountPath: '/etc/app/data/' },
      { name: 'app-config', mountPath: '/one', subPath: 'sub' },
    ];
    const args = [
      '/etc/app',
      '--file=/etc/app/x.yaml',
      '/etc/application',
      '/etc/app/data/y',
      'http://h/etc/app',
      '/one/z',
    ];
    const plan = launch({ volumeMounts, args, env: [] }, { FILE: '/etc/app/x.yaml' });
    expect(plan.args.slice(3)).toEqual([
      '/v/app-config',
      '--file=/v/app-config/x.yaml',
      '/etc/application',
      '/v/data/y',
      'http://h/etc/app',
      '/v/app-config/sub/z',
    ]);
    expect(plan.env['FILE']).toBe('/v/app-config/x.yaml');
  });

  test('starts in its data folder when the working directory is not on this machine', () => {
    expect(launch({ workingDir: '/no/such/folder' }).cwd).toBe('/data');
    expect(launch({ workingDir: tmpdir() }).cwd).toBe(tmpdir());
  });
});

describe('the workload of a pod', () => {
  const owned = (kind: string, name: string, labels: Record<string, string>): ReturnType<typeof podOf> =>
    podOf(
      { containers: [] },
      { labels, ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid: 'u', controller: true }] },
    );

  test('is the Deployment behind its ReplicaSet, else its controller, else itself', () => {
    expect(workloadOf(owned('ReplicaSet', 'gateway-abc12', { 'pod-template-hash': 'abc12' }))).toBe('gateway');
    expect(workloadOf(owned('StatefulSet', 'postgres', {}))).toBe('postgres');
    expect(workloadOf(podOf({ containers: [] }))).toBe('web-1');
    expect(faultsFileOf('/s', podOf({ containers: [] }))).toBe('/s/faults/shop/web-1.json');
  });
});
