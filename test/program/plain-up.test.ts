import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type KubeObject, refOf } from '../../src/model/index.ts';
import type { Cluster } from '../../src/ports/index.ts';
import { findTool } from '../../src/toolchain/index.ts';
import { configMap, deployment } from '../provider/kubernetes/harness.ts';
import { testCluster, testNamespace } from '../support/cluster.ts';
import { newSnapshot, type TemporaryStore, temporaryStore } from '../support/snapshots.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CANARY = 'canary-5d1e7b20';
let cluster: Cluster;
let space: Awaited<ReturnType<typeof testNamespace>>;
let store: TemporaryStore;
let project: string;
let kubeconfig: string;
let clusterUid: string;
let path: string;
let pulumi: string;

/** Where the official language host is installed it is the one that is tested. */
async function languageHostFolder(): Promise<readonly string[]> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = await Promise.any(folders.map((folder) => access(join(folder, 'pulumi-language-nodejs')))).then(
    () => true,
    () => false,
  );
  return found ? [] : [join(ROOT, 'test', 'support', 'language-host')];
}

/** The CLI as a person runs it in a checkout, with the real Pulumi.yaml and a stack file of its own. */
async function cli(...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  const env = {
    HOME: project,
    PATH: path,
    KUBECONFIG: kubeconfig,
    PULUMI_HOME: join(project, 'home'),
    PULUMI_BACKEND_URL: `file://${join(project, 'backend')}`,
    PULUMI_CONFIG_PASSPHRASE: 'passphrase',
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
    BACKSTAY_PROJECT_DIR: project,
    BACKSTAY_SNAPSHOTS_DIR: store.root,
  };
  try {
    const { stdout, stderr } = await promisify(execFile)(pulumi, [...args, '--non-interactive', '--color', 'never'], {
      cwd: project,
      env,
    });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

async function aim(target: string): Promise<void> {
  const config = {
    'backstay:namespaces': [space.name],
    'backstay:keys': { directory: store.keyFolder },
    'backstay:readyTimeout': '20s',
    'backstay:target': target,
  };
  await writeFile(join(project, 'stacks', 'Pulumi.demo.yaml'), stringify({ config }));
}

async function capture(label: string, objects: readonly KubeObject[], uid = clusterUid): Promise<void> {
  const snapshot = newSnapshot(store, objects, { labels: [label] }, { clusterUid: uid, namespaces: [space.name] });
  await store.store.put('demo', snapshot);
}

const live = async (object: KubeObject): Promise<KubeObject | undefined> => cluster.get(refOf(object));

beforeAll(async () => {
  ({ cluster, kubeconfig } = await testCluster());
  clusterUid = (await cluster.identity()).uid;
  [space, store, project] = await Promise.all([
    testNamespace('plain'),
    temporaryStore('demo'),
    mkdtemp(join(tmpdir(), 'backstay-plain-')),
  ]);
  pulumi = (await findTool('pulumi')).path;
  path = [...(await languageHostFolder()), join(ROOT, 'bin'), process.env['PATH'] ?? ''].join(delimiter);
  await Promise.all([mkdir(join(project, 'stacks')), mkdir(join(project, 'backend'))]);
  await writeFile(join(project, 'Pulumi.yaml'), await readFile(join(ROOT, 'Pulumi.yaml')));
  for (const name of ['src', 'node_modules', 'package.json']) await symlink(join(ROOT, name), join(project, name));
});
afterAll(async () => {
  await Promise.all([space.remove(), store.remove(), rm(project, { recursive: true, force: true })]);
});

describe('plain `pulumi up`', () => {
  it('carries the stack to the target of its file, secrets included, and there and back again', async () => {
    const ns = space.name;
    const secret: KubeObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', namespace: ns },
      type: 'Opaque',
      data: { k: Buffer.from(CANARY).toString('base64') },
    };
    const web = deployment(ns, 'web');
    await capture('v1', [configMap(ns, 'c', { mode: 'one' }), secret, web]);
    await capture('v2', [configMap(ns, 'c', { mode: 'two' }), secret, web]);
    await aim('v1');
    expect(await cli('stack', 'init', 'demo')).toMatchObject({ code: 0 });

    const first = await cli('up', '--yes', '--stack', 'demo');
    expect(first).toMatchObject({ code: 0 });
    expect((await live(configMap(ns, 'c', {})))?.['data']).toEqual({ mode: 'one' });
    expect((await live(secret))?.['data']).toEqual(secret['data']);
    const { uid } = (await live(web))?.metadata ?? {};

    await aim('v2');
    const second = await cli('up', '--yes', '--stack', 'demo');
    expect(second.output).toMatch(/1 updated\s+4 unchanged/);
    expect((await live(configMap(ns, 'c', {})))?.['data']).toEqual({ mode: 'two' });
    await aim('v1');
    expect((await cli('up', '--yes', '--stack', 'demo')).output).toMatch(/1 updated\s+4 unchanged/);
    expect((await live(configMap(ns, 'c', {})))?.['data']).toEqual({ mode: 'one' });
    expect((await live(web))?.metadata.uid).toBe(uid);

    const state = await readFile(join(project, 'backend', '.pulumi', 'stacks', 'backstay', 'demo.json'), 'utf8');
    for (const text of [state, first.output, second.output]) {
      expect(text).not.toContain(CANARY);
      expect(text).not.toContain(Buffer.from(CANARY).toString('base64'));
    }
  });

  it('refuses an unknown target and another cluster’s snapshot by name, and changes nothing', async () => {
    const object = configMap(space.name, 'untouched', { a: '1' });
    await aim('no-such-label');
    await cli('stack', 'init', 'demo');
    const unknown = await cli('up', '--yes', '--stack', 'demo');
    expect(unknown.code).not.toBe(0);
    expect(unknown.output).toMatch(/no-such-label/);
    await capture('elsewhere', [object], '11111111-2222-3333-4444-555555555555');
    await aim('elsewhere');
    const elsewhere = await cli('up', '--yes', '--stack', 'demo');
    expect(elsewhere.code).not.toBe(0);
    expect(elsewhere.output).toMatch(
      /CLUSTER_MISMATCH: The target of demo belongs to cluster 11111111-2222-3333-4444-555555555555/,
    );
    expect(await live(object)).toBeUndefined();
  });
});
