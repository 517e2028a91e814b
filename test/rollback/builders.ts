import { NO_OPTIONS } from '../../src/actions/plan.ts';
import {
  digestOf,
  type HookSetting,
  type Phase,
  type Plan,
  type PlanOptions,
  type Stack,
  type Step,
} from '../../src/model/index.ts';
import type { Clock } from '../../src/ports/index.ts';

export const OPTIONS: PlanOptions = {
  ...NO_OPTIONS,
  reason: 'docling is slow',
  incident: 'INC-7',
};

export function aPlan(part: Partial<Omit<Plan, 'hash'>> = {}): Plan {
  const content: Omit<Plan, 'hash'> = {
    apiVersion: 'backstay.dev/v1',
    kind: 'Plan',
    stack: 'medical-kg',
    clusterUid: 'c1',
    createdAt: '2026-01-01T00:00:00.000Z',
    scope: { kind: 'application' },
    target: { id: digestOf('target'), said: 'v1.2.2', labels: ['v1.2.2'] },
    live: digestOf('live'),
    changes: [],
    desired: [],
    steps: [],
    warnings: [],
    risk: 'low',
    options: OPTIONS,
    ...part,
  };
  return { ...content, hash: digestOf(content) };
}

export function aStep(id: string, phase: Phase, part: Partial<Step> = {}): Step {
  return {
    id,
    phase,
    title: `do ${id}`,
    action: { kind: 'hook', hook: aHook(id, phase) },
    risk: 'low',
    destructive: false,
    ...part,
  };
}

export function aHook(name: string, phase: Phase, part: Partial<HookSetting> = {}): HookSetting {
  return { name, phase, timeoutMs: 1_000, onError: 'halt', action: { kind: 'restart', workloads: [name] }, ...part };
}

export function aStack(part: Partial<Stack> = {}): Stack {
  return {
    name: 'medical-kg',
    file: '/stacks/Pulumi.medical-kg.yaml',
    cluster: { leaseNamespace: 'default', leaseDurationMs: 30_000 },
    namespaces: ['production'],
    capture: { exclude: [], include: [] },
    roles: { workers: [], data: [] },
    foreign: [],
    flags: [],
    secrets: { recipients: [], identity: { env: 'AGE' }, comparisonKey: { env: 'COMPARE' } },
    signing: { trusted: [], key: { env: 'SIGN' } },
    engine: {
      provider: 'backstay',
      backend: 'file://.',
      secretsProvider: 'passphrase',
      passphrase: { env: 'PASS' },
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
    readyTimeoutMs: 1_000,
    approvals: { approvers: {}, severities: {}, requireSeverity: false },
    requireReason: true,
    ...part,
  };
}

/** A clock that a test moves; a delay moves it too, so that nothing waits. */
export function fakeClock(start = Date.parse('2026-01-01T00:00:00Z')): Clock & { advance(ms: number): void } {
  let time = start;
  return {
    now: () => time,
    monotonic: () => time - start,
    delay: async (ms, signal) => {
      signal?.throwIfAborted();
      // Whoever has something to do at this time does it before time goes on.
      await new Promise<void>((resolve) => setImmediate(resolve));
      time += ms;
    },
    advance: (ms) => {
      time += ms;
    },
  };
}
