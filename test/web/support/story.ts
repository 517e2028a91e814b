import type { PendingApproval } from '../../../src/actions/approve.ts';
import type { PastRun } from '../../../src/actions/history.ts';
import type { SnapshotRow } from '../../../src/actions/snapshots.ts';
import type {
  Change,
  CheckResult,
  Digest,
  FieldChange,
  ObjectKey,
  Phase,
  Plan,
  Proposal,
  RunEvent,
  RunEventBody,
  Step,
} from '../../../src/model/index.ts';

/** What a service would answer about one bad night: a release that fails, an alert, a rollback that is approved and carried out. */
export const STACK = 'shop-production';
export const RUN = '20261121-031502-5e8a10';
export const UNDO_RUN = '20261121-033140-c04b77';
export const PROPOSAL = 'p-20261121-031431-7a3c';

const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}`;
const GOOD = 'sha256:3e6f86faa492c321bb5c170ab77bfdfab591e76ab93ff9d6a1f85e0b6953e971' satisfies Digest;
const MINUTE = 60_000;

/** ISO 8601, so many minutes before the tests began. */
export const before = (minutes: number): string => new Date(Date.now() - minutes * MINUTE).toISOString();

const set = (path: string, was: string | number, is: string | number): FieldChange => ({
  path,
  kind: 'changed',
  before: was,
  after: is,
});

function change(kind: string, name: string, fields: readonly FieldChange[], more: Partial<Change> = {}): Change {
  const apiVersion = kind === 'Deployment' ? 'apps/v1' : 'v1';
  const key = `${kind === 'Deployment' ? 'apps' : 'core'}/${kind}/shop/${name}` as ObjectKey;
  return {
    key,
    ref: { apiVersion, kind, namespace: 'shop', name },
    action: 'update',
    fields,
    takesOver: [],
    ...more,
  };
}

export const CHANGES: readonly Change[] = [
  change('Deployment', 'gateway', [
    set(
      'spec.template.spec.containers[name=gateway].image',
      'registry.example/shop/gateway:2.8.0',
      'registry.example/shop/gateway:2.7.4',
    ),
    set('spec.template.spec.containers[name=gateway].resources.limits.memory', '256Mi', '512Mi'),
  ]),
  change('Deployment', 'orders', [
    set(
      'spec.template.spec.containers[name=orders].image',
      'registry.example/shop/orders:5.1.0',
      'registry.example/shop/orders:5.0.9',
    ),
    { path: 'spec.template.spec.containers[name=orders].env[name=CART_V2]', kind: 'removed', before: 'on' },
  ]),
  change('ConfigMap', 'gateway-config', [
    {
      path: 'data["routes.yaml"]',
      kind: 'changed',
      lines: [' timeouts:', '-  upstream: 2s', '+  upstream: 10s', ' retries: 2'],
    },
  ]),
  change('Secret', 'orders-db', [{ path: 'data["password"]', kind: 'changed', secret: true }]),
  change('Deployment', 'cart-v2', [], { action: 'delete' }),
  change('Deployment', 'invoices', [], { action: 'restart', reason: 'reads secret/orders-db, which changes' }),
];

const step = (id: string, phase: Phase, title: string, action: Step['action'], more: Partial<Step> = {}): Step => ({
  id,
  phase,
  title,
  action,
  risk: 'none',
  destructive: false,
  ...more,
});
const took = (ms: number): Pick<Step, 'expected'> => ({ expected: { ms, runs: 6 } });

export const STEPS: readonly Step[] = [
  step('lease', 'locked', 'Take the lease of shop-production', { kind: 'lease' }, took(200)),
  step(
    'checks-before',
    'locked',
    'Measure the checks before',
    { kind: 'checks', when: 'before', names: ['checkout', 'catalogue'] },
    took(2_400),
  ),
  step(
    'pause',
    'frozen',
    'Pause the roll-outs of 2 workloads',
    { kind: 'pause-rollouts', workloads: [] },
    { ...took(300), risk: 'low', reverse: { kind: 'resume-rollouts', workloads: [] } },
  ),
  step('before', 'safeguarded', 'Capture what is live', { kind: 'snapshot-before' }, took(1_400)),
  step(
    'evidence',
    'safeguarded',
    'Keep logs and events of the failing version',
    { kind: 'evidence', limitMs: 30_000, limitBytes: 1, logLines: 500 },
    took(3_100),
  ),
  step(
    'backup',
    'safeguarded',
    'Back the data store orders up and prove it',
    { kind: 'db-backup', store: 'orders', prove: 'restored' },
    took(9_800),
  ),
  step(
    'migrate',
    'restored',
    'Migrate orders from 0043 back to 0042',
    { kind: 'migrate', store: 'orders', way: { from: '0043', to: '0042', direction: 'down', scripts: [] } as never },
    {
      ...took(4_200),
      risk: 'medium',
      destructive: true,
      dataLoss: 'orders: column cart.v2_state with 118 filled rows',
      reverse: { kind: 'db-drop-beside', store: 'orders' },
    },
  ),
  step(
    'apply',
    'applied',
    'Bring 5 objects to the target',
    { kind: 'apply' },
    { ...took(14_000), risk: 'medium', reverse: { kind: 'return-before' } },
  ),
  step(
    'prune',
    'applied',
    'Delete 1 object that the target does not have',
    { kind: 'prune', objects: [] },
    { ...took(800), risk: 'medium', destructive: true },
  ),
  step('resume', 'resumed', 'Let roll-outs go on', { kind: 'resume-rollouts', workloads: [] }, took(300)),
  step(
    'checks-after',
    'validated',
    'Measure the checks',
    { kind: 'checks', when: 'after', names: ['checkout', 'catalogue'] },
    took(2_600),
  ),
  step('record', 'completed', 'Record what was reached', { kind: 'record-after' }, took(1_200)),
];

export const PLAN: Plan = {
  apiVersion: 'backstay.dev/v1',
  kind: 'Plan',
  hash: digest('7'),
  stack: STACK,
  clusterUid: '74acb3e7-4f36-47d1-9b17-d50da0b737c2',
  createdAt: before(2),
  scope: { kind: 'full' },
  target: { id: GOOD, said: 'v2.7.4', labels: ['v2.7.4'] },
  live: digest('1'),
  changes: CHANGES,
  desired: [],
  steps: STEPS,
  warnings: ['Deployment shop/orders is scaled by an autoscaler: its replicas stay as they are.'],
  risk: 'medium',
  options: {
    emergency: false,
    skipValidation: false,
    validateBefore: true,
    exactReplicas: false,
    allowClusterMismatch: false,
    allowUnsigned: false,
    takeFrom: [],
    deleteProtected: false,
    hold: true,
    allowUnknownImages: false,
    severity: 'SEV-2',
    reason: 'errors at 12 % since 2.8.0',
    incident: 'INC-4711',
  },
  approval: { severity: 'SEV-2', roles: ['platform-lead', 'cto'], when: 'before', count: 1, expiresMs: 15 * MINUTE },
  advice: 'Roll back within 15 minutes, then call the product owner.',
};

export const UNDO_PLAN: Plan = {
  ...PLAN,
  hash: digest('8'),
  target: { id: digest('2'), said: 'before', labels: [] },
  undoes: RUN,
  steps: STEPS.filter(({ id }) => !['migrate', 'backup', 'evidence', 'checks-before'].includes(id)),
  warnings: [],
};

const row = (digit: string, minutes: number, more: Partial<SnapshotRow> = {}): SnapshotRow => ({
  id: digest(digit),
  shortId: digit.repeat(12),
  capturedAt: before(minutes),
  reason: 'capture',
  labels: [],
  verdict: 'pass',
  knownGood: true,
  signature: { state: 'trusted', key: 'backstay' },
  by: { user: 'anna', host: 'ops-1', version: '0.1.0' },
  ...more,
});

export const SNAPSHOTS: readonly SnapshotRow[] = [
  row('2', 9, {
    reason: 'before-run',
    verdict: 'fail',
    knownGood: false,
    labels: ['v2.8.0'],
    held: { run: RUN, reason: 'errors at 12 %' },
  }),
  row('3', 31, { id: GOOD, shortId: GOOD.slice(7, 19), labels: ['v2.7.4'] }),
  row('4', 1_500, { verdict: 'unknown', knownGood: false }),
  row('5', 4_400, { labels: ['v2.7.3'] }),
  row('6', 9_000, { labels: ['v2.7.0'], reason: 'after-run' }),
  row('9', 9_900, { verdict: 'fail', knownGood: false }),
];

const past = (run: string, minutes: number, more: Partial<Extract<PastRun, { kind: 'run' }>>): PastRun => ({
  kind: 'run',
  run,
  stack: STACK,
  startedAt: before(minutes),
  outcome: 'succeeded',
  phase: 'completed',
  durationMs: 41_000,
  trigger: 'person',
  target: 'known-good',
  by: 'anna@ops-1',
  resumable: false,
  ...more,
});

export const HISTORY: readonly PastRun[] = [
  past('20261118-140210-aa10c2', 4_100, { durationMs: 38_400, downMs: 0 }),
  past('20261111-091530-71b2fe', 14_000, {
    durationMs: 61_200,
    downMs: 4_200,
    outcome: 'returned',
    phase: 'validated',
  }),
  past('20261102-221102-03fd9a', 27_000, { durationMs: 44_100, downMs: 900 }),
  past('20261020-030405-5512aa', 46_000, { durationMs: 128_000, outcome: 'failed', phase: 'applied' }),
  past('20261009-174030-8c1e44', 62_000, { durationMs: 52_300, downMs: 12_300 }),
  past('20260921-104411-1d00b3', 88_000, { durationMs: 47_700, downMs: 1_400 }),
];

export const ALERTS: Proposal['alerts'] = [
  {
    source: 'alertmanager',
    name: 'CheckoutErrors',
    stack: STACK,
    status: 'firing',
    groupKey: '{}:{alertname="CheckoutErrors"}',
    fingerprint: '8d2f6c0f2b3f4d11',
    startsAt: before(4),
    labels: { severity: 'SEV-2' },
    summary: 'checkout answers 12 % of requests with 5xx',
    url: 'https://runbooks.example/checkout',
  },
  {
    source: 'watch',
    name: 'checkout-latency',
    stack: STACK,
    status: 'firing',
    groupKey: 'watch',
    fingerprint: '1',
    startsAt: before(3),
    labels: {},
    summary: '95th percentile 2.4 s, four times the baseline',
    url: 'javascript:alert(1)',
  },
];

export const OPEN_PROPOSAL: Proposal = {
  id: PROPOSAL,
  stack: STACK,
  createdAt: before(2),
  alerts: ALERTS,
  mode: 'propose',
  target: 'v2.7.4',
  plan: PLAN.hash,
  state: 'open',
};

export const WAITING: PendingApproval = {
  run: RUN,
  stack: STACK,
  standing: 'waiting',
  severity: 'SEV-2',
  roles: ['platform-lead', 'cto'],
  given: 0,
  count: 1,
  until: new Date(Date.now() + 13 * MINUTE).toISOString(),
  requestedBy: 'anna@ops-1',
  requestedAt: before(1),
  target: 'v2.7.4',
  plan: PLAN.hash,
  said: 'platform-lead or cto must agree',
};

const measured = (name: string, verdict: CheckResult['verdict'], reason: string, p95Ms?: number): CheckResult => ({
  name,
  kind: 'http',
  verdict,
  reason,
  at: new Date().toISOString(),
  durationMs: 900,
  ...(p95Ms === undefined ? {} : { measured: { count: 20, p95Ms, failures: verdict === 'fail' ? 3 : 0 } }),
});

const KEYS = ['apps/Deployment/shop/gateway', 'apps/Deployment/shop/orders', 'core/ConfigMap/shop/gateway-config'];

/** Asked for, and waiting. */
export const ASKED: readonly RunEventBody[] = [
  { type: 'run.started', target: 'v2.7.4', plan: PLAN.hash },
  {
    type: 'approval.needed',
    severity: 'SEV-2',
    roles: ['platform-lead', 'cto'],
    count: 1,
    when: 'before',
    until: new Date(Date.now() + 13 * MINUTE).toISOString(),
  },
];

function done(id: string, durationMs: number, message?: string): readonly RunEventBody[] {
  const planned = STEPS.find((one) => one.id === id);
  if (planned === undefined) throw new TypeError(`no step ${id}`);
  return [
    { type: 'step.started', step: id, title: planned.title, phase: planned.phase },
    { type: 'step.ended', step: id, outcome: 'done', durationMs, ...(message === undefined ? {} : { message }) },
  ];
}

const now = (): string => new Date().toISOString();

/** From the agreement to the middle of applying: with a route that goes down. */
export const BEGUN = (): readonly RunEventBody[] => [
  { type: 'approval.given', decision: 'approved', user: 'lea', role: 'platform-lead', reason: 'go' },
  { type: 'phase.entered', phase: 'locked' },
  ...done('lease', 180),
  { type: 'step.started', step: 'checks-before', title: 'Measure the checks before', phase: 'locked' },
  { type: 'check.measured', result: measured('checkout', 'fail', '3 of 20 requests failed', 2_410) },
  { type: 'check.measured', result: measured('catalogue', 'pass', '20 of 20 requests answered', 240) },
  { type: 'check.measured', result: measured('stock-sync', 'unknown', 'its queue cannot be reached') },
  { type: 'step.ended', step: 'checks-before', outcome: 'warned', durationMs: 2_380, message: '1 failed, 1 unknown' },
  { type: 'phase.left', phase: 'locked', durationMs: 2_700 },
  { type: 'phase.entered', phase: 'frozen' },
  { type: 'probe.changed', name: 'shop.example/checkout', verdict: 'up', reason: '200', at: now(), latencyMs: 31 },
  ...done('pause', 260),
  { type: 'phase.left', phase: 'frozen', durationMs: 280 },
  { type: 'phase.entered', phase: 'safeguarded' },
  ...done('before', 1_320, 'snapshot 222222222222'),
  ...done('evidence', 2_900, '14 files, 1.2 MB'),
  ...done('backup', 9_400, 'orders-20261121.dump, restored and counted: 81 204 rows'),
  { type: 'phase.left', phase: 'safeguarded', durationMs: 13_900 },
  { type: 'phase.entered', phase: 'restored' },
  ...done('migrate', 4_100, '0043 → 0042, 118 rows lost a column'),
  { type: 'phase.left', phase: 'restored', durationMs: 4_200 },
  { type: 'phase.entered', phase: 'applied' },
  { type: 'step.started', step: 'apply', title: 'Bring 5 objects to the target', phase: 'applied' },
  { type: 'probe.changed', name: 'shop.example/checkout', verdict: 'down', reason: '503', at: now() },
  { type: 'object.progress', object: KEYS[2]!, state: 'done', message: '' },
  { type: 'object.progress', object: KEYS[0]!, state: 'waiting', message: '1 of 3 pods ready' },
  { type: 'object.progress', object: KEYS[1]!, state: 'updating', message: '' },
];

/** The rest of it. */
export const FINISHED = (): readonly RunEventBody[] => [
  { type: 'object.progress', object: KEYS[0]!, state: 'ready', message: '3 of 3 pods ready' },
  { type: 'object.progress', object: KEYS[1]!, state: 'ready', message: '2 of 2 pods ready' },
  { type: 'probe.changed', name: 'shop.example/checkout', verdict: 'up', reason: '200', at: now(), latencyMs: 40 },
  { type: 'step.ended', step: 'apply', outcome: 'done', durationMs: 13_200 },
  ...done('prune', 700),
  { type: 'phase.left', phase: 'applied', durationMs: 14_000 },
  { type: 'phase.entered', phase: 'resumed' },
  ...done('resume', 240),
  { type: 'phase.left', phase: 'resumed', durationMs: 250 },
  { type: 'phase.entered', phase: 'validated' },
  { type: 'step.started', step: 'checks-after', title: 'Measure the checks', phase: 'validated' },
  { type: 'check.measured', result: measured('checkout', 'pass', '20 of 20 requests answered', 310) },
  { type: 'check.measured', result: measured('catalogue', 'pass', '20 of 20 requests answered', 220) },
  { type: 'check.measured', result: measured('stock-sync', 'pass', 'no message is older than 2 s') },
  { type: 'step.ended', step: 'checks-after', outcome: 'done', durationMs: 2_510 },
  { type: 'phase.left', phase: 'validated', durationMs: 2_600 },
  { type: 'phase.entered', phase: 'completed' },
  ...done('record', 1_100, 'snapshot is known good'),
  { type: 'run.ended', outcome: 'succeeded', durationMs: 41_300 },
];

/**
 * Events as a journal stamps them: each step takes its time, and the last one ends now, but nothing goes back behind
 * `notBefore` (milliseconds since the epoch).
 */
export function stamped(run: string, bodies: readonly RunEventBody[], after = 0, notBefore = 0): readonly RunEvent[] {
  const total = bodies.reduce((sum, body) => sum + takes(body), 0);
  // What is seen after a run is seen now.
  const isAfterwards = bodies[0]?.type.startsWith('observation.') === true;
  let at = total === 0 && notBefore > 0 && !isAfterwards ? notBefore : Math.max(notBefore, Date.now() - total);
  return bodies.map((body, i) => {
    at = Math.min(Math.max(at + takes(body), notBefore), Date.now());
    const time = new Date(at).toISOString();
    const timed = body.type === 'probe.changed' ? { ...body, at: time } : body;
    return { ...timed, run, stack: STACK, sequence: after + i + 1, time };
  });
}

function takes(body: RunEventBody): number {
  return body.type === 'step.ended' ? body.durationMs : 0;
}
