import type { RunEventBody } from '../../../src/model/index.ts';
import type { Drill } from '../../../src/service/drills.ts';
import type { DeliveryView } from '../../../src/service/notify/index.ts';
import type { ScheduleView } from '../../../src/service/schedules/records.ts';
import type { StackDetail } from '../../../src/service/stacks/view.ts';
import { before, PROPOSAL, RUN, STACK } from './story.ts';

/** What a service would answer about what it does by itself, about drills, and about whom it told of that night. */

const HOUR = 60;
const DAY = 24 * HOUR;
const DAY_MS = 86_400_000;

export const STORES: NonNullable<StackDetail['stores']> = [
  { name: 'orders', kind: 'postgres' },
  { name: 'sessions', kind: 'redis' },
];

export const SCHEDULES: readonly ScheduleView[] = [
  {
    name: 'nightly',
    do: 'capture',
    everyMs: DAY_MS,
    seenAt: before(90 * DAY),
    nextAt: before(-21 * HOUR),
    isFiring: false,
    last: { at: before(3 * HOUR), outcome: 'succeeded' },
    succeededAt: before(3 * HOUR),
  },
  {
    name: 'proof',
    do: 'drill',
    everyMs: 30 * DAY_MS,
    seenAt: before(90 * DAY),
    nextAt: before(-18 * DAY),
    isFiring: false,
    last: {
      at: before(12 * DAY),
      outcome: 'failed',
      code: 'BACKUP_DAMAGED',
      message: 'The backup orders-20261108 does not have the digest of its manifest.',
    },
    succeededAt: before(42 * DAY),
  },
  { name: 'tidy', do: 'finalize-expired', everyMs: 6 * 3_600_000, isFiring: false },
];

export const PROVEN: NonNullable<Drill['result']> = {
  apiVersion: 'backstay.dev/v1',
  kind: 'Backup',
  id: 'orders-20261121',
  proven: 'restored',
  proofs: [
    { proof: 'read', at: before(1), durationMs: 800, message: 'read, with the digest of its manifest' },
    { proof: 'restored', at: before(1), durationMs: 9_200, message: 'restored beside: 81204 rows in 31 tables' },
  ],
};

export const DRILLS: readonly Drill[] = [
  {
    id: '20261109030000000-1f0c77aa',
    stack: STACK,
    store: 'orders',
    backup: 'latest',
    by: 'schedule:proof',
    startedAt: before(12 * DAY),
    state: 'failed',
    result: {
      apiVersion: 'backstay.dev/v1',
      kind: 'Error',
      code: 'BACKUP_DAMAGED',
      message: 'The backup orders-20261108 does not have the digest of its manifest.',
    },
  },
  {
    id: '20261010030000000-7b21e0c4',
    stack: STACK,
    store: 'orders',
    backup: 'latest',
    by: 'schedule:proof',
    startedAt: before(42 * DAY),
    state: 'proven',
    result: PROVEN,
  },
];

const told = (
  notice: DeliveryView['notice'],
  channel: string,
  minutes: number,
  more: Partial<DeliveryView> = {},
): DeliveryView => ({
  event: `${notice} ${RUN}`,
  notice,
  stack: STACK,
  channel,
  ...(notice.startsWith('proposal') ? { proposal: PROPOSAL } : { run: RUN }),
  at: before(minutes),
  state: 'delivered',
  attempts: 1,
  settledAt: before(minutes),
  ...more,
});

export const DELIVERIES: readonly DeliveryView[] = [
  told('proposal.opened', 'on-call', 2),
  told('approval.needed', 'on-call', 1),
  told('approval.needed', 'audit', 1, { state: 'refused', because: 'audit answers 410' }),
  owed('run.started', 'tickets', 0),
];

/** Waits for its fourth attempt. */
function owed(notice: DeliveryView['notice'], channel: string, minutes: number): DeliveryView {
  const { settledAt: _never, ...delivery } = told(notice, channel, minutes);
  return { ...delivery, state: 'due', attempts: 3, dueAt: before(-4), because: 'tickets answers 503' };
}

/** The time after the run begins. */
export const WATCHED = (): readonly RunEventBody[] => [
  {
    type: 'observation.started',
    until: before(-30),
    subjects: ['watch checkout-errors', 'check catalogue', 'logs', 'neighbours billing'],
  },
  { type: 'observation.changed', subject: 'watch checkout-errors', verdict: 'pass', reason: '0.2 % of requests fail' },
  { type: 'observation.changed', subject: 'check catalogue', verdict: 'pass', reason: '20 of 20 requests answered' },
  { type: 'observation.changed', subject: 'logs', verdict: 'unknown', reason: 'the logs of orders cannot be read' },
];

/** Something is found, and goes away again. */
export const DISTURBED = (): readonly RunEventBody[] => [
  {
    type: 'observation.changed',
    subject: 'neighbours billing',
    verdict: 'fail',
    reason: 'Deployment billing/invoices: 0 of 2 pods ready',
  },
];

export const UNDISTURBED = (): readonly RunEventBody[] => [
  { type: 'observation.changed', subject: 'neighbours billing', verdict: 'pass', reason: 'as before the run' },
  { type: 'observation.changed', subject: 'logs', verdict: 'pass', reason: 'no new kind of error' },
  { type: 'observation.ended', outcome: 'disturbed', reason: 'neighbours billing failed for a while' },
];
