/**
 * Has every tool at hand that the tests use, before the first of them runs: a build takes minutes, and a test that waits
 * for one looks like a test that hangs.
 */
import { ensureTools, progressPrinter } from '../src/toolchain/index.ts';

const printer = progressPrinter(process.stderr);
const tools = await ensureTools(
  ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'pulumi', 'kubectl', 'helm', 'actionlint'],
  { onProgress: printer },
);
printer.done();
for (const tool of Object.values(tools)) console.log(`${tool.name} ${tool.version} (${tool.origin})`);
