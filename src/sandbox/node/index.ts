import { type NodeOptions, type RunningNode, runNode } from './node.ts';

/** Starts a node with this process's own PATH, HOME and the like as the basics of every pod's environment. */
export async function startNode(
  options: Omit<NodeOptions, 'env'> & Partial<Pick<NodeOptions, 'env'>>,
): Promise<RunningNode> {
  return await runNode({ env: process.env, ...options });
}

export { type ConnectProxy, startConnectProxy } from './network/connect-proxy.ts';
export type { NodeOptions, RunningNode } from './node.ts';
