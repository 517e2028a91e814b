import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import type { SandboxInfo } from '../../src/sandbox/contract.ts';
import { sandboxDown, sandboxUp } from '../../src/sandbox/sandbox.ts';
import { ensureTools } from '../../src/toolchain/index.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Unix socket on which the run's own process answers with the sandbox, starting it when first asked. */
    sandboxSocket: string;
  }
}

/**
 * One control plane a test run, started only when a test needs it, owned by the run's own process: when that is killed,
 * the sandbox's input closes and it goes down by itself.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), 'backstay-test-'));
  let starting: Promise<SandboxInfo> | undefined;
  const server: Server = createServer((socket) => {
    starting ??= start(join(dir, 'sandbox'));
    starting.then(
      (info) => socket.end(JSON.stringify({ info })),
      (error: unknown) => socket.end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) })),
    );
    socket.on('error', () => undefined);
  });
  const path = join(dir, 'sandbox.sock');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  server.unref();
  project.provide('sandboxSocket', path);
  return async () => {
    server.close();
    if (starting !== undefined) await sandboxDown(join(dir, 'sandbox'));
    await rm(dir, { recursive: true, force: true });
  };
}

async function start(dir: string): Promise<SandboxInfo> {
  const tools = await ensureTools(['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler']);
  const { info } = await sandboxUp({
    dir,
    attached: true,
    fakeNodes: 0,
    imageModules: [fileURLToPath(new URL('./images/registry.ts', import.meta.url))],
    tools: {
      etcd: tools.etcd.path,
      'kube-apiserver': tools['kube-apiserver'].path,
      'kube-controller-manager': tools['kube-controller-manager'].path,
      'kube-scheduler': tools['kube-scheduler'].path,
    },
  });
  return info;
}
