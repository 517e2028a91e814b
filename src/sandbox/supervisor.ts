import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
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
  const proxy = await startConnectProxy({});
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
    await rm(infoFileOf(dir), { force: true });
  };
  try {
    say('starting etcd, API server, controller manager and scheduler');
    controlPlane = await startControlPlane({ dir, tools: config.tools, watchdog, egressProxy: proxy.address, log: say });
    const images = [...SANDBOX_IMAGES];
    for (const module of config.imageModules) {
      const loaded = (await import(module)) as { SANDBOX_IMAGES: typeof SANDBOX_IMAGES };
      images.push(...loaded.SANDBOX_IMAGES);
    }
    say('starting the node');
    const { kubeletServer } = controlPlane.pki;
    const [cert, key] = await Promise.all([readFile(kubeletServer.cert, 'utf8'), readFile(kubeletServer.key, 'utf8')]);
    node = await startNode({
      kubeconfig: controlPlane.nodeKubeconfig,
      name: 'backstay-sandbox',
      dir,
      images,
      certs: { cert, key },
      connectProxy: proxy,
      log: (line) => process.stderr.write(`${line}\n`),
      onChild: (pid) => watchdog.add(pid),
      ...(config.ingressPort === undefined ? {} : { ingressPort: config.ingressPort }),
    });
    if (config.fakeNodes > 0 && config.kwok !== undefined) {
      say(`starting kwok with ${config.fakeNodes} fake nodes`);
      fakeNodes = await startFakeNodes({ dir, kwok: config.kwok, kubeconfig: controlPlane.nodeKubeconfig, count: config.fakeNodes, watchdog });
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
