import type { Grouping, Stats } from '../journal/index.ts';
import type { Digest, Plan, Proposal, RunEvent } from '../model/index.ts';
import { BackstayError } from '../errors/index.ts';
import type {
  CaptureAnswer,
  Decided,
  DiffAnswer,
  NothingToDo,
  PastRun,
  PendingApproval,
  PlanAnswer,
  PlanAsked,
  ProposalSeen,
  ProposalsAsked,
  ReviewAnswer,
  RunAsked,
  RunSeen,
  RunStarted,
  Page,
  SnapshotDetails,
  SnapshotPage,
  StackView,
} from './answers.ts';
import { follow } from './events.ts';
import { type Answer, type Ask, type ClientSettings, createTransport, type Transport } from './transport.ts';

/** Everything that pipelines and people ask of a service. Each call throws what the verb would have thrown there. */
export interface ServiceClient {
  readonly server: URL;
  stacks(): Promise<readonly StackView[]>;
  snapshots(stack: string): Promise<SnapshotPage>;
  snapshot(stack: string, ref: string, allowUnsigned?: boolean): Promise<SnapshotDetails>;
  capture(stack: string, asked: CaptureAsked): Promise<CaptureAnswer>;
  compare(
    stack: string,
    asked: { readonly from?: string; readonly to?: string; readonly scope?: string },
  ): Promise<DiffAnswer>;
  plan(stack: string, asked: PlanAsked, signal?: AbortSignal): Promise<PlanAnswer>;
  start(asked: RunAsked): Promise<RunStarted | NothingToDo>;
  /** Newest first. */
  runs(asked?: { readonly stack?: string; readonly limit?: number }): Promise<readonly PastRun[]>;
  run(id: string): Promise<RunSeen>;
  /** Its events, those that were and each new one, until it is over; over lost connections. */
  events(id: string, options?: EventOptions): AsyncIterable<{ readonly id: string; readonly event: RunEvent }>;
  /** That something changed of a stack, each time; over lost connections. Ends when the signal fires. */
  changes(stack: string, signal: AbortSignal): AsyncIterable<unknown>;
  resume(id: string): Promise<RunStarted>;
  /** Asks for an orderly stop between two steps. */
  cancel(id: string, reason: string): Promise<void>;
  /** What an undo would do. */
  planUndo(id: string, asked: UndoAsked): Promise<Plan>;
  undo(id: string, asked: UndoAsked & { readonly plan?: Digest }): Promise<RunStarted>;
  review(id: string): Promise<ReviewAnswer>;
  /** @throws APPROVAL_REFUSED and its like, also where somebody was first since `etag` was seen */
  decide(id: string, asked: DecisionAsked): Promise<Decided>;
  approvals(stack?: string): Promise<readonly PendingApproval[]>;
  /** Rollbacks that alerts asked for, newest first. */
  proposals(asked?: ProposalsAsked): Promise<readonly Proposal[]>;
  proposal(id: string): Promise<ProposalSeen>;
  /** Carries its plan out in the caller's name. */
  acceptProposal(id: string, reason?: string): Promise<{ readonly run: string; readonly proposal: Proposal }>;
  dismissProposal(id: string, reason: string): Promise<Proposal>;
  report(id: string, format: 'markdown' | 'html' | 'json'): Promise<string>;
  /** The archive. */
  evidence(id: string): Promise<Uint8Array>;
  stats(asked: { readonly stack?: string; readonly sinceMs?: number; readonly by?: Grouping }): Promise<StatsAnswer>;
}

export interface CaptureAsked {
  readonly reason?: string;
  readonly labels?: readonly string[];
  readonly checks?: boolean;
}

export interface EventOptions {
  /** Only those after the journal entry of this sequence. */
  readonly after?: string;
  readonly signal?: AbortSignal;
  readonly onLost?: (because: string) => void;
}

export interface UndoAsked {
  readonly reason?: string;
  readonly options?: PlanAsked['options'];
  readonly onInvalid?: 'halt' | 'return';
}

export interface DecisionAsked {
  readonly decision: 'approved' | 'denied';
  readonly reason?: string;
  /** The hash of the plan that was seen. */
  readonly plan: Digest;
  readonly etag: string;
}

export interface StatsAnswer extends Stats {
  readonly by: Grouping;
  readonly stack?: string;
  readonly damaged: readonly string[];
}

/** Planning waits for a cluster, and for data that is recovered to a moment of the past. */
const PLANNING_MS = 30 * 60_000;
const PAGE = 200;

/** @throws USAGE for an address that is none, or over which a token would be readable */
export function createClient(settings: ClientSettings): ServiceClient {
  const transport = createTransport(settings);
  const json = async <T>(ask: Ask): Promise<T> => await jsonOf<T>(transport, ask);
  const post = async <T>(path: string, body: object, more: Partial<Ask> = {}): Promise<T> =>
    await json<T>({ method: 'POST', path, body, ...more });
  const run = (id: string, rest = ''): string => `/v1/runs/${encodeURIComponent(id)}${rest}`;
  const stack = (name: string, rest = ''): string => `/v1/stacks/${encodeURIComponent(name)}${rest}`;
  const proposal = (id: string, rest = ''): string => `/v1/proposals/${encodeURIComponent(id)}${rest}`;
  return {
    server: transport.server,
    stacks: async () => (await json<Page<StackView>>({ path: '/v1/stacks' })).items,
    snapshots: async (name) => await snapshotsOf(transport, stack(name, '/snapshots')),
    snapshot: async (name, ref, allowUnsigned) =>
      await json({
        path: stack(name, `/snapshots/${encodeURIComponent(ref)}`),
        query: { allowUnsigned: allowUnsigned === true ? true : undefined },
      }),
    capture: async (name, asked) => await post(stack(name, '/snapshots'), asked, { timeoutMs: PLANNING_MS }),
    compare: async (name, asked) => await json({ path: stack(name, '/compare'), query: asked, timeoutMs: PLANNING_MS }),
    plan: async (name, asked, signal) =>
      await post(stack(name, '/plans'), asked, { timeoutMs: PLANNING_MS, ...(signal === undefined ? {} : { signal }) }),
    start: async (asked) => await post('/v1/runs', asked),
    runs: async ({ stack: of, limit } = {}) => await paged(transport, '/v1/runs', { stack: of }, limit),
    run: async (id) => await json({ path: run(id) }),
    events: (id, options) => eventsOf(transport, run(id, '/events'), options),
    changes: (of, signal) => follow(transport, { path: '/v1/events', query: { stack: of }, signal }),
    resume: async (id) => await post(run(id, '/resume'), {}),
    cancel: async (id, reason) => {
      await transport.ask({ method: 'POST', path: run(id, '/cancel'), body: { reason } });
    },
    planUndo: async (id, asked) => {
      const { plan } = await post<{ readonly plan: Plan }>(run(id, '/undo'), asked, {
        query: { dryRun: true },
        timeoutMs: PLANNING_MS,
      });
      return plan;
    },
    undo: async (id, asked) => await post(run(id, '/undo'), asked, { timeoutMs: PLANNING_MS }),
    review: async (id) => {
      const answer = await transport.ask({ path: run(id, '/approval') });
      const etag = answer.headers.get('etag');
      const review = bodyOf<ReviewAnswer['review']>(answer, transport);
      if (etag === null) throw odd(transport, 'says of no version which one it is');
      return { review, etag };
    },
    decide: async (id, { etag, ...asked }) =>
      await post(run(id, '/approval'), asked, { headers: { 'if-match': etag } }),
    approvals: async (of) => await paged(transport, '/v1/approvals', { stack: of }),
    proposals: async ({ stack: of, state } = {}) => await paged(transport, '/v1/proposals', { stack: of, state }),
    proposal: async (id) => await json({ path: proposal(id) }),
    acceptProposal: async (id, reason) => await post(proposal(id, '/accept'), reason === undefined ? {} : { reason }),
    dismissProposal: async (id, reason) => await post(proposal(id, '/dismiss'), { reason }),
    report: async (id, format) => {
      const accept = { markdown: 'text/markdown', html: 'text/html', json: 'application/json' }[format];
      return (await transport.ask({ path: run(id, '/report'), accept })).text();
    },
    evidence: async (id) => {
      const asked = { path: run(id, '/evidence'), accept: 'application/gzip', timeoutMs: PLANNING_MS };
      return (await transport.ask(asked)).bytes;
    },
    stats: async (asked) => await json({ path: '/v1/stats', query: asked }),
  };
}

async function snapshotsOf(transport: Transport, path: string): Promise<SnapshotPage> {
  const items: SnapshotPage['items'][number][] = [];
  const damaged: SnapshotPage['damaged'][number][] = [];
  let cursor: string | undefined;
  do {
    const page: Partial<SnapshotPage> = await jsonOf(transport, { path, query: { limit: PAGE, cursor } });
    items.push(...(page.items ?? []));
    damaged.push(...(page.damaged ?? []));
    cursor = page.next;
  } while (cursor !== undefined);
  return { items, damaged };
}

/** All pages of a list, or as many as hold `limit`. */
async function paged<T>(
  transport: Transport,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  limit = Number.POSITIVE_INFINITY,
): Promise<readonly T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const page: Page<T> = await jsonOf(transport, {
      path,
      query: { ...query, limit: Math.min(PAGE, limit - items.length), cursor },
    });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== undefined && items.length < limit);
  return items.slice(0, limit);
}

async function* eventsOf(
  transport: Transport,
  path: string,
  { after, signal, onLost }: EventOptions = {},
): AsyncGenerator<{ readonly id: string; readonly event: RunEvent }, void, void> {
  const options = {
    path,
    ...(after === undefined ? {} : { after }),
    ...(signal === undefined ? {} : { signal }),
    ...(onLost === undefined ? {} : { onLost }),
  };
  for await (const { id, data } of follow(transport, options)) {
    if (id !== undefined && isRunEvent(data)) yield { id, event: data };
  }
}

function isRunEvent(data: unknown): data is RunEvent {
  return typeof data === 'object' && data !== null && 'type' in data && 'run' in data;
}

async function jsonOf<T>(transport: Transport, ask: Ask): Promise<T> {
  return bodyOf<T>(await transport.ask(ask), transport);
}

function bodyOf<T>(answer: Answer, transport: Transport): T {
  try {
    const body: unknown = JSON.parse(answer.text());
    if (typeof body === 'object' && body !== null) return body as T;
  } catch (cause) {
    throw odd(transport, 'gives an answer that is no JSON', cause);
  }
  throw odd(transport, 'gives an answer that is no object');
}

function odd({ server }: Transport, what: string, cause?: unknown): BackstayError {
  return new BackstayError('SERVICE_REFUSED', `${server.origin} ${what}: is it a service of Backstay?`, {
    cause,
    details: { server: server.origin },
  });
}
