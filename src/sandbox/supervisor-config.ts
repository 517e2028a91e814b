import { join } from 'node:path';

/** What a supervisor is told; a file beside the sandbox's others. Apart from supervisor.ts so that the CLI stays light. */
export interface SupervisorConfig {
  readonly dir: string;
  readonly tools: Readonly<Record<'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler', string>>;
  /** Needed only with `fakeNodes`. */
  readonly kwok?: string;
  readonly fakeNodes: number;
  readonly ingressPort?: number;
  /** Modules that export `SANDBOX_IMAGES` of their own, for tests and for users' images. */
  readonly imageModules: readonly string[];
}

/** The file that says that a sandbox is up: written last at the start, removed last at the end. */
export const infoFileOf = (dir: string): string => join(dir, 'sandbox.json');
