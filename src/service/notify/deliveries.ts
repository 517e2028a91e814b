import type { Notice } from '../../model/index.ts';
import type { ServiceStore } from '../../ports/index.ts';
import { type Delivery, deliveryIn } from './delivery.ts';

/** A delivery, as people see it. */
export interface DeliveryView {
  /** Of the event: what receivers were given as its id. */
  readonly event: string;
  readonly notice: Notice;
  readonly stack: string;
  readonly channel: string;
  readonly run?: string;
  readonly proposal?: string;
  /** ISO 8601: when it happened. */
  readonly at: string;
  readonly state: Delivery['state'];
  readonly attempts: number;
  /** ISO 8601: of the next attempt, while there is one. */
  readonly dueAt?: string;
  readonly settledAt?: string;
  readonly because?: string;
}

/** What was, is and will be told: of one run or proposal in order, else of all, the newest subject first. */
export async function deliveries(
  records: ServiceStore,
  { subject }: { readonly subject?: string } = {},
): Promise<readonly DeliveryView[]> {
  const found = await records.list(
    'delivery',
    subject === undefined ? { newestFirst: true } : { prefix: `${subject}/` },
  );
  const views = found.map((record) => viewOf(deliveryIn(record)));
  return subject === undefined ? views : views.toSorted(inOrder);
}

/** Two events may have happened in one millisecond; the later one has the later id. */
function inOrder(a: DeliveryView, b: DeliveryView): number {
  const [one, other] = [`${a.at} ${a.event}`, `${b.at} ${b.event}`];
  return one < other ? -1 : one > other ? 1 : 0;
}

function viewOf({ telling, channel, state, attempts, dueAt, settledAt, because }: Delivery): DeliveryView {
  const { id, notice, stack, run, proposal, at } = telling;
  return {
    event: id,
    notice,
    stack,
    channel,
    ...(run === undefined ? {} : { run }),
    ...(proposal === undefined ? {} : { proposal }),
    at,
    state,
    attempts,
    ...(settledAt === undefined ? { dueAt } : { settledAt }),
    ...(because === undefined ? {} : { because }),
  };
}
