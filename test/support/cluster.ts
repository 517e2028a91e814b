import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { inject } from 'vitest';
import { connectCluster } from '../../src/adapters/kubernetes/index.ts';
import type { Cluster } from '../../src/ports/index.ts';
import type { SandboxInfo } from '../../src/sandbox/contract.ts';

/** A worker keeps one answer and one connection for all tests of its files. */
let info: Promise<SandboxInfo> | undefined;
let cluster: Promise<Cluster> | undefined;

/** The one sandbox of this test run; started when the first test asks for it, stopped when the run ends. */
export function testSandbox(): Promise<SandboxInfo> {
  info ??= new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(inject('sandboxSocket'));
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', reject);
    socket.on('end', () => {
      const answer = JSON.parse(text) as { info?: SandboxInfo; error?: string };
      if (answer.info === undefined) reject(new TypeError(answer.error));
      else resolve(answer.info);
    });
  });
  return info;
}

/** Path of an administrator's kubeconfig, and a connection that lives as long as the worker. */
export async function testCluster(): Promise<{
  readonly kubeconfig: string;
  readonly cluster: Cluster;
  readonly sandbox: SandboxInfo;
}> {
  const sandbox = await testSandbox();
  cluster ??= connectCluster({ kubeconfig: sandbox.kubeconfig });
  return { kubeconfig: sandbox.kubeconfig, cluster: await cluster, sandbox };
}

/** A namespace of the test's own. `remove` asks for its deletion and does not wait: nobody uses the name again. */
export async function testNamespace(prefix = 't'): Promise<{ readonly name: string; remove(): Promise<void> }> {
  const { cluster } = await testCluster();
  const name = `${prefix}-${randomBytes(4).toString('hex')}`;
  await cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  return {
    name,
    remove: async () => {
      await cluster.delete({ apiVersion: 'v1', kind: 'Namespace', name }, { propagation: 'Background' });
    },
  };
}
