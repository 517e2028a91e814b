import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SandboxInfo } from './contract.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { type FakeNodes, startFakeNodes } from './fake-nodes.ts';
import { SANDBOX_IMAGES } from './images/registry.ts';
import { type RunningNode, startConnectProxy, startNode } from './node/index.ts';
import { infoFileOf, type SupervisorConfig } from './supervisor-config.ts';
import { startWatchdog } from './watchdog.ts';

export interface RunningSandbox {
  readonly info: SandboxInfo;
  stop(): Promise<void>;
}

/** Starts every part in order, in this process and below it. `say` gets one line a part. */
export async function startSandbox(config: SupervisorConfig, say: (line: string) => void): Promise<RunningSandbox> {
  const { dir } = config;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const watchdog = startWatchdog(dir);
  const egressSocket = socketPathIn(dir);
  const proxy = await startConnectProxy({ socketPath: egressSocket });
  let controlPlane: ControlPlane | undefined;
  let node: RunningNode | undefined;
  let fakeNodes: FakeNodes | undefined;
  const stop = async (): Promise<void> => {
    // Pods first, while there is still an API server to tell; then the rest, each with a short grace: 5 s in all.
    await fakeNodes?.stop();
    await node?.stop();
    await controlPlane?.stop();
    await proxy.close();
    await watchdog.dismiss();
    await rm(egressSocket, { force: true });
    await rm(infoFileOf(dir), { force: true });
  };
  try {
    say('starting etcd, API server, controller manager and scheduler');
    controlPlane = await startControlPlane({ dir, tools: config.tools, watchdog, egressSocket, log: say });
    const images = [...SANDBOX_IMAGES];
    for (const module of config.imageModules) {
      const loaded = (await import(module)) as { SANDBOX_IMAGES: typeof SANDBOX_IMAGES };
      images.push(...loaded.SANDBOX_IMAGES);
    }
    say('starting the node');
    const { kubeletServer } = controlPlane.pki;
    const [cert, key, ca] = (await Promise.all(
      [kubeletServer.cert, kubeletServer.key, controlPlane.pki.ca].map((file) => readFile(file, 'utf8')),
    )) as [string, string, string];
    node = await startNode({
      kubeconfig: controlPlane.nodeKubeconfig,
      name: 'backstay-sandbox',
      dir,
      images,
      // With the authority the kubelet demands the API server's own certificate: it serves exec.
      certs: { cert, key, ca },
      connectProxy: proxy,
      log: (line) => process.stderr.write(`${line}\n`),
      onChild: (pid) => watchdog.add(pid),
      onChildExit: (pid) => watchdog.remove(pid),
      ...(config.ingressPort === undefined ? {} : { ingressPort: config.ingressPort }),
    });
    if (config.fakeNodes > 0 && config.kwok !== undefined) {
      say(`starting kwok with ${config.fakeNodes} fake nodes`);
      fakeNodes = await startFakeNodes({
        dir,
        kwok: config.kwok,
        kubeconfig: controlPlane.nodeKubeconfig,
        count: config.fakeNodes,
        watchdog,
      });
    }
    const info: SandboxInfo = {
      format: 1,
      dir,
      supervisor: process.pid,
      server: controlPlane.server,
      kubeconfig: controlPlane.kubeconfig,
      ingress: node.ingress,
      startedAt: new Date().toISOString(),
      serverVersion: controlPlane.version,
      fakeNodes: config.fakeNodes,
    };
    const partial = `${infoFileOf(dir)}.partial`;
    await writeFile(partial, `${JSON.stringify(info, null, 2)}\n`, { mode: 0o600 });
    await rename(partial, infoFileOf(dir));
    return { info, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Unix socket paths end at 107 bytes on Linux and 103 on macOS; a longer folder gets a short name in the temporary one. */
const SOCKET_PATH_LIMIT = 100;

function socketPathIn(dir: string): string {
  const path = join(dir, 'egress.sock');
  if (Buffer.byteLength(path) <= SOCKET_PATH_LIMIT) return path;
  return join(tmpdir(), `backstay-${createHash('sha256').update(dir).digest('hex').slice(0, 12)}.sock`);
}
