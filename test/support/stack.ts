import type { Stack } from '../../src/model/index.ts';

/** A stack with nothing set but its namespace; `change` sets what a test is about. */
export function stackOf(namespace: string, change: Partial<Stack> = {}): Stack {
  return {
    name: 'test',
    file: '/stacks/Pulumi.test.yaml',
    cluster: { leaseNamespace: namespace, leaseDurationMs: 30_000 },
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
      savedPlan: false,
    },
    hooks: [],
    checks: [],
    probes: [],
    context: { anyOf: [], dependencies: [] },
    evidence: { limitMs: 10_000, emergencyLimitMs: 3_000, limitBytes: 20 * 1024 ** 2, logLines: 2_000 },
    doctor: { hosts: [], databases: [] },
    order: [],
    onInvalid: 'halt',
    hold: { rollouts: true, autoscalers: true, deliveries: [] },
    stores: [],
    data: { backupMaxAgeMs: 3_600_000 },
    retention: { undoMs: 604_800_000, snapshotsMs: 7_776_000_000, keep: 20 },
    readyTimeoutMs: 300_000,
    approvals: { approvers: {}, severities: {}, requireSeverity: false },
    requireReason: false,
    ...change,
  };
}
