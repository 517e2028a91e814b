import { join } from 'node:path';
import { readEnvironment } from '../../config/index.ts';
import { BackstayError } from '../../errors/index.ts';
import type { Faults, SandboxInfo } from '../../sandbox/contract.ts';
import { sandboxDown, sandboxStatus, sandboxUp, setFaults } from '../../sandbox/sandbox.ts';
import type { CommandRun, Invocation } from '../commands.ts';
import { textOf } from '../plan-options.ts';
import { age } from '../render/time.ts';

const dirOf = ({ terminal }: Invocation): string => join(readEnvironment(terminal.env).stateDir, 'sandbox');

export const up: CommandRun = async (invocation) => {
  const { terminal, options } = invocation;
  const fakeNodes = wholeNumber(options['fakeNodes'], '--fake-nodes', 0, 1000);
  const ingressPort =
    options['ingressPort'] === undefined ? undefined : wholeNumber(options['ingressPort'], '--ingress-port', 1, 65_535);
  const { ensureTools, progressPrinter } = await import('../../toolchain/index.ts');
  const names = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const;
  const found = await ensureTools([...names, ...(fakeNodes > 0 ? (['kwok'] as const) : [])], {
    env: terminal.env,
    onProgress: progressPrinter(invocation.process.stderr),
  });
  const tools = Object.fromEntries(names.map((name) => [name, found[name].path])) as Record<
    (typeof names)[number],
    string
  >;
  const { info, started } = await sandboxUp({
    dir: dirOf(invocation),
    tools,
    fakeNodes,
    imageModules: [],
    ...(fakeNodes > 0 ? { kwok: found.kwok.path } : {}),
    ...(ingressPort === undefined ? {} : { ingressPort }),
    onProgress: (line) => terminal.note(terminal.err.dim(line)),
  });
  terminal.result('Sandbox', { state: 'up', started, info }, () => describe(info, started ? 'up' : 'already up'));
  return 0;
};

export const down: CommandRun = async (invocation) => {
  const outcome = await sandboxDown(dirOf(invocation));
  invocation.terminal.result('Sandbox', { state: 'down', outcome }, () =>
    outcome === 'stopped' ? 'sandbox stopped' : 'sandbox was not running',
  );
  return 0;
};

export const status: CommandRun = async (invocation) => {
  const now = await sandboxStatus(dirOf(invocation));
  invocation.terminal.result('Sandbox', now, () =>
    now.state === 'up'
      ? describe(now.info, 'up')
      : now.state === 'dead'
        ? 'sandbox was killed; `backstay sandbox up` starts it anew'
        : 'sandbox is down',
  );
  return now.state === 'up' ? 0 : 1;
};

export const kubeconfig: CommandRun = async (invocation) => {
  const now = await sandboxStatus(dirOf(invocation));
  if (now.state !== 'up')
    throw new BackstayError('SANDBOX_DOWN', 'The sandbox is not running, so it has no kubeconfig.');
  invocation.terminal.result('Kubeconfig', { path: now.info.kubeconfig }, () => now.info.kubeconfig);
  return 0;
};

export const fault: CommandRun = async (invocation) => {
  const [workload = '', ...words] = invocation.args;
  const [namespace, name, ...rest] = workload.split('/');
  if (!namespace || !name || rest.length > 0) throw new BackstayError('USAGE', `"${workload}" is not NAMESPACE/NAME.`);
  const faults = parseFaults(words);
  await setFaults(dirOf(invocation), namespace, name, faults);
  const off = Object.keys(faults).length === 0;
  invocation.terminal.result(
    'Faults',
    { namespace, workload: name, faults },
    () => `${workload}: ${off ? 'healthy again' : words.join(' ')}`,
  );
  return 0;
};

/** `delay=8`, `errors=60`, `unavailable`, `off`. */
export function parseFaults(words: readonly string[]): Faults {
  let faults: Faults = {};
  for (const word of words) {
    const [key = '', value = ''] = word.split('=');
    const amount = Number(value);
    if (word === 'off') faults = {};
    else if (word === 'unavailable') faults = { ...faults, unavailable: true };
    else if (key === 'delay' && value !== '' && amount >= 0) faults = { ...faults, delayMs: amount * 1000 };
    else if (key === 'errors' && value !== '' && amount >= 0 && amount <= 100)
      faults = { ...faults, errorRate: amount / 100 };
    else throw new BackstayError('USAGE', `"${word}" is not delay=SECONDS, errors=PERCENT, unavailable or off.`);
  }
  return faults;
}

function describe(info: SandboxInfo, state: string): string {
  return [
    `sandbox ${state}  Kubernetes ${info.serverVersion}  since ${age(info.startedAt, Date.now())}`,
    `  API server  ${info.server}`,
    `  ingress     http://${info.ingress}`,
    `  kubectl     export KUBECONFIG=${info.kubeconfig}`,
  ].join('\n');
}

function wholeNumber(given: unknown, flag: string, least: number, most: number): number {
  const value = Number(given);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new BackstayError(
      'USAGE',
      `${flag} takes a whole number from ${least} to ${most}, not "${textOf(given) ?? ''}".`,
    );
  }
  return value;
}
