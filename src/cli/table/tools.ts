import type { CommandSpec } from '../commands.ts';
import { STACK } from './shared.ts';

/** Keys, tools and the sandbox. */
export const TOOL_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'keys init',
    summary: 'make the keys of a stack (never overwrites)',
    args: [STACK],
    remote: 'here',
    load: async () => (await import('../commands/keys.ts')).init,
  },
  {
    name: 'toolchain',
    summary: 'list the tools: version, where from, size',
    remote: 'here',
    load: async () => (await import('../commands/toolchain.ts')).toolchain,
  },
  {
    name: 'toolchain get',
    summary: 'fetch or build the tools that are missing, before they are needed',
    args: [['[tools...]', 'names as `toolchain` lists them (default: what a run and the sandbox need)']],
    examples: ['backstay toolchain get', 'backstay toolchain get pulumi'],
    remote: 'here',
    load: async () => (await import('../commands/toolchain.ts')).get,
  },
  {
    name: 'sandbox up',
    summary: 'start it (or say that it is up)',
    options: [
      ['--fake-nodes <count>', 'kwok nodes for measuring roll-outs', '0'],
      ['--ingress-port <port>', 'port of the Ingress on 127.0.0.1 (free one by default)'],
    ],
    remote: 'here',
    load: async () => (await import('../commands/sandbox.ts')).up,
  },
  {
    name: 'sandbox down',
    summary: 'stop it',
    remote: 'here',
    load: async () => (await import('../commands/sandbox.ts')).down,
  },
  {
    name: 'sandbox status',
    summary: 'say whether it is up, and where',
    remote: 'here',
    load: async () => (await import('../commands/sandbox.ts')).status,
  },
  {
    name: 'sandbox kubeconfig',
    summary: 'print the path of its kubeconfig',
    remote: 'here',
    load: async () => (await import('../commands/sandbox.ts')).kubeconfig,
  },
  {
    name: 'sandbox fault',
    summary: 'make the pods of a workload slow, failing or unavailable',
    args: [
      ['<workload>', 'NAMESPACE/NAME'],
      ['<fault...>', 'delay=SECONDS, errors=PERCENT, unavailable, or off'],
    ],
    examples: [
      'backstay sandbox fault production/docling-vlm delay=8 errors=60',
      'backstay sandbox fault production/docling-vlm off',
    ],
    remote: 'here',
    load: async () => (await import('../commands/sandbox.ts')).fault,
  },
  {
    name: 'version',
    summary: 'versions of backstay, Node and Pulumi',
    remote: 'here',
    load: async () => (await import('../commands/version.ts')).version,
  },
];
