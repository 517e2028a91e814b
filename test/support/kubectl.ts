import { spawn } from 'node:child_process';
import { findTool } from '../../src/toolchain/index.ts';

export type Kubectl = (args: readonly string[], how?: KubectlOptions) => Promise<string>;

export interface KubectlOptions {
  /** Given to it as a file of objects, for `-f -`. */
  readonly input?: unknown;
  readonly env?: Readonly<Record<string, string>>;
}

/** Real kubectl against one cluster. Gives what it prints. @throws TypeError with what it said when it fails. */
export async function kubectlFor(kubeconfig: string): Promise<Kubectl> {
  const { path } = await findTool('kubectl');
  return async (args, { input, env = {} } = {}) =>
    await new Promise((resolve, reject) => {
      const child = spawn(path, ['--kubeconfig', kubeconfig, ...args], {
        env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', ...env },
      });
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      child.once('error', reject);
      child.once('close', (code) => {
        if (code === 0) resolve(stdout);
        else reject(new TypeError(`kubectl ${args.join(' ')} ended with ${code}: ${stderr}`));
      });
      child.stdin.end(input === undefined ? '' : JSON.stringify(input));
    });
}
