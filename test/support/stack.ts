import type { Stack } from '../../src/model/index.ts';

/** A stack with nothing set but its namespace; `change` sets what a test is about. */
export function stackOf(namespace: string, change: Partial<Stack> = {}): Stack {
  return {
    name: 'test',
    file: '/stacks/Pulumi.test.yaml',
    cluster: { leaseNamespace: namespace },
    namespaces: [namespace],
    capture: { exclude: [], include: [] },
    roles: { workers: [], data: [] },
    foreign: [],
    flags: [],
    secrets: { recipients: [], identity: { env: 'IDENTITY' }, comparisonKey: { env: 'COMPARISON' } },
    signing: { trusted: [], key: { env: 'SIGNING' } },
    engine: {
      provider: 'backstay',
      backend: 'file://.',
      secretsProvider: 'passphrase',
      passphrase: { env: 'PASSPHRASE' },
    },
    hooks: [],
    checks: [],
    context: { anyOf: [], dependencies: [] },
    order: [],
    readyTimeoutMs: 300_000,
    requireReason: false,
    ...change,
  };
}
