import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectCluster } from '../../src/adapters/kubernetes/index.ts';
import { sandboxDown, sandboxStatus, sandboxUp, setFaults } from '../../src/sandbox/sandbox.ts';
import { MARK } from '../../src/sandbox/watchdog.ts';
import { ensureTools } from '../../src/toolchain/index.ts';

let root: string;
let dir: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'backstay-lifecycle-'));
  dir = join(root, 'sandbox');
});

afterAll(async () => {
  await sandboxDown(dir);
  await rm(root, { recursive: true, force: true });
});

async function up(): Promise<Awaited<ReturnType<typeof sandboxUp>>> {
  const names = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const;
  const tools = await ensureTools(names);
  return await sandboxUp({
    dir,
    fakeNodes: 0,
    imageModules: [fileURLToPath(new URL('../support/images/registry.ts', import.meta.url))],
    tools: Object.fromEntries(names.map((name) => [name, tools[name].path])) as Record<(typeof names)[number], string>,
  });
}

/** Processes that carry the sandbox's mark: control plane and pods alike. */
async function marked(): Promise<readonly number[]> {
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = await readFile(`/proc/${entry}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').includes(`${MARK}=${dir}`)) found.push(Number(entry));
  }
  return found;
}

/** The kernel tells nobody when somebody else's child ends, so its going is asked for, within the promised five seconds. */
async function untilNothingIsLeft(): Promise<readonly number[]> {
  const limit = Date.now() + 5_000;
  for (;;) {
    const left = await marked();
    if (left.length === 0 || Date.now() > limit) return left;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function startPod(kubeconfig: string): Promise<void> {
  const cluster = await connectCluster({ kubeconfig });
  const stop = new AbortController();
  try {
    const container = { name: 'echo', image: 'backstay-test/echo:1' };
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'alone', namespace: 'default' },
      spec: { terminationGracePeriodSeconds: 1, containers: [container] },
    });
    const kind = await cluster.kindOf('v1', 'Pod');
    if (kind === undefined) throw new TypeError('pods are not served');
    for await (const event of cluster.watch(kind, { namespace: 'default', signal: stop.signal })) {
      if (event.type === 'synced') continue;
      if ((event.object['status'] as { phase?: string } | undefined)?.phase === 'Running') return;
    }
  } finally {
    stop.abort();
    await cluster.close();
  }
}

describe('a sandbox', () => {
  it('comes up with a real API server, and a second start finds it up', async () => {
    const first = await up();
    expect(first.started).toBe(true);
    expect(first.info.serverVersion).toMatch(/^v1\.\d+\./);
    const second = await up();
    expect(second.started).toBe(false);
    expect(second.info.supervisor).toBe(first.info.supervisor);
    await startPod(first.info.kubeconfig);
    expect((await marked()).length).toBeGreaterThanOrEqual(5);
  });

  it('leaves no process when its supervisor is killed, and says that it was', async () => {
    const status = await sandboxStatus(dir);
    if (status.state !== 'up') throw new TypeError('the sandbox is not up');
    process.kill(status.info.supervisor, 'SIGKILL');
    expect(await untilNothingIsLeft()).toEqual([]);
    expect((await sandboxStatus(dir)).state).toBe('dead');
    await expect(setFaults(dir, 'default', 'alone', { delayMs: 1 })).rejects.toMatchObject({ code: 'SANDBOX_DOWN' });
  });

  it('comes up anew after that, and stops for good when it is told to', async () => {
    const { info, started } = await up();
    expect(started).toBe(true);
    await startPod(info.kubeconfig);
    expect(await sandboxDown(dir)).toBe('stopped');
    expect(await marked()).toEqual([]);
    expect((await sandboxStatus(dir)).state).toBe('down');
    expect(await sandboxDown(dir)).toBe('was-down');
  });
});

describe('a sandbox that cannot start', () => {
  it('names the part and the log, and leaves nothing', async () => {
    const broken = join(root, 'broken');
    const tools = {
      etcd: '/bin/false',
      'kube-apiserver': '/bin/false',
      'kube-controller-manager': '/bin/false',
      'kube-scheduler': '/bin/false',
    };
    await expect(sandboxUp({ dir: broken, fakeNodes: 0, imageModules: [], tools })).rejects.toMatchObject({
      code: 'SANDBOX_FAILED',
      message: expect.stringContaining('kube-apiserver'),
      next: expect.stringContaining('kube-apiserver.log'),
    });
    expect((await sandboxStatus(broken)).state).toBe('down');
  });
});
