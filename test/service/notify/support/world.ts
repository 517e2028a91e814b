import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { createSqliteJournal, createSqliteRecords } from '../../../../src/adapters/sqlite/index.ts';
import { createHttpClient } from '../../../../src/adapters/system/index.ts';
import { BackstayError } from '../../../../src/errors/index.ts';
import type { JournalFact } from '../../../../src/journal/index.ts';
import type { NotificationPolicy, NotificationSetting, Plan, Proposal } from '../../../../src/model/index.ts';
import type { JournalStore, ServiceStore } from '../../../../src/ports/index.ts';
import { Recorder } from '../../../../src/rollback/index.ts';
import type { LogLine } from '../../../../src/service/log.ts';
import { type DeliveryView, deliveries } from '../../../../src/service/notify/deliveries.ts';
import { deliver, type NotifyDeps } from '../../../../src/service/notify/outbox.ts';
import { watchProposals } from '../../../../src/service/notify/proposals.ts';
import { watchRuns } from '../../../../src/service/notify/runs.ts';
import { aPlan, aStep } from '../../../rollback/builders.ts';
import { stackOf } from '../../../support/stack.ts';
import { type HandClock, handClock } from './hand-clock.ts';

/** One service among those on the same stores. */
export interface Service {
  readonly deps: NotifyDeps;
  /** Ends it as a signal would, and waits until it is gone. */
  stop(): Promise<void>;
}

/** A run that a test carries: it writes the facts. */
export interface Run {
  readonly id: string;
  fact(fact: JournalFact): Promise<void>;
  begin(): Promise<void>;
  end(outcome?: Extract<JournalFact, { kind: 'run-ended' }>['outcome'], reason?: string): Promise<void>;
}

export interface World {
  readonly clock: HandClock;
  readonly log: LogLine[];
  readonly records: ServiceStore;
  readonly keys: Record<string, string>;
  /** By name of the stack. A string stands for a file that cannot be used. */
  readonly policies: Record<string, NotificationPolicy | 'unusable'>;
  service(name?: string, change?: (deps: NotifyDeps) => Partial<NotifyDeps>): Promise<Service>;
  /** Journals that a run was asked for. */
  run(id: string, part?: Partial<Omit<Plan, 'hash'>>): Promise<Run>;
  propose(proposal: Partial<Proposal> & { readonly id: string }): Promise<void>;
  deliveries(subject?: string): Promise<readonly DeliveryView[]>;
  /** Everything that lies in the records, as text. */
  dump(): Promise<string>;
  /** Lets time go by in steps until what is asked holds. */
  until(holds: () => boolean | Promise<boolean>, step?: number): Promise<void>;
  close(): Promise<void>;
}

/** Generous: the machine may be busy with other tests. */
export const PATIENCE = { timeout: 60_000, interval: 15 } as const;

export function policy(
  channels: readonly NotificationSetting[],
  part: Partial<NotificationPolicy> = {},
): NotificationPolicy {
  return { channels, escalation: [], stuckAfterMs: 900_000, ...part };
}

interface Stores {
  readonly journal: JournalStore;
  readonly records: ServiceStore;
}

const inFile = (folder: string) => async (): Promise<Stores> => {
  const file = join(folder, 'journal.sqlite');
  return { journal: await createSqliteJournal({ file }), records: await createSqliteRecords({ file }) };
};

/**
 * Real stores, real HTTP, and a clock that only the test moves. `opener` opens the stores once more, as each service has
 * them. @default a file in a folder of its own
 */
export async function notifyWorld(opener?: () => Promise<Stores>): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'backstay-notify-'));
  const open = opener ?? inFile(folder);
  const clock = handClock();
  const log: LogLine[] = [];
  const keys: Record<string, string> = {};
  const policies: Record<string, NotificationPolicy | 'unusable'> = {};
  const closers: (() => Promise<void>)[] = [];
  const stores = async (): Promise<Stores> => {
    const { journal, records } = await open();
    closers.push(async () => void (await Promise.allSettled([journal.close(), records.close()])));
    return { journal, records };
  };
  const { journal, records } = await stores();
  const http = createHttpClient();
  closers.push(async () => await http.close());
  const running: Service[] = [];

  const service: World['service'] = async (name = 'one', change = () => ({})) => {
    const base: NotifyDeps = {
      ...(await stores()),
      clock,
      http,
      keys: {
        read: async (source) => {
          const value = 'env' in source ? keys[source.env] : undefined;
          if (value === undefined) throw new BackstayError('KEY_MISSING', `${JSON.stringify(source)} is not set.`);
          return value;
        },
      },
      by: { user: 'service', host: name },
      stack: async (stack) => {
        const found = policies[stack];
        if (found === undefined) throw new BackstayError('STACK_UNKNOWN', `There is no ${stack}.`);
        if (found === 'unusable') throw new BackstayError('STACK_INVALID', `${stack} is not valid.`);
        return { ...stackOf('production'), name: stack, notifications: found };
      },
      log: (line) => log.push(line),
      random: () => 1,
    };
    const deps = { ...base, ...change(base) };
    const stopping = new AbortController();
    const loops = Promise.all(
      [watchRuns, watchProposals, deliver].map(async (loop) => await loop(deps, stopping.signal)),
    );
    // Asked for in `stop`; a test that goes wrong before is not to hide why.
    loops.catch(() => undefined);
    let isOver = false;
    const one: Service = {
      deps,
      stop: async () => {
        if (isOver) return;
        isOver = true;
        stopping.abort(new Error('the service is stopped'));
        await loops.catch((error: unknown) => {
          if (error !== stopping.signal.reason) throw error;
        });
      },
    };
    running.push(one);
    return one;
  };

  const run: World['run'] = async (id, part = {}) => {
    const plan = aPlan({ stack: 'shop', steps: [aStep('a', 'applied')], ...part });
    const recorder = new Recorder({ journal, clock, reporter: { report: () => {} }, run: id, stack: plan.stack });
    await recorder.append({ kind: 'run-created', plan, by: { user: 'ada', host: 'laptop' } });
    return {
      id,
      fact: async (fact) => await recorder.append(fact),
      begin: async () => await recorder.append({ kind: 'step-begin', operation: `${id}-a`, step: 'a', attempt: 1 }),
      end: async (outcome = 'succeeded', reason) =>
        await recorder.append({ kind: 'run-ended', outcome, ...(reason === undefined ? {} : { reason }) }),
    };
  };

  return {
    clock,
    log,
    records,
    keys,
    policies,
    service,
    run,
    propose: async (part) => {
      const proposal: Proposal = {
        stack: 'shop',
        createdAt: new Date(clock.now()).toISOString(),
        alerts: [],
        mode: 'propose',
        target: 'known-good',
        state: 'open',
        ...part,
      };
      const known = await records.get('proposal', proposal.id);
      await records.put('proposal', proposal.id, known?.version ?? 0, JSON.parse(JSON.stringify(proposal)) as never);
    },
    deliveries: async (subject) => await deliveries(records, subject === undefined ? {} : { subject }),
    dump: async () => {
      const all = await Promise.all((['delivery', 'cursor'] as const).map(async (kind) => await records.list(kind)));
      return JSON.stringify(all);
    },
    until: async (holds, step = 1_000) =>
      await vi.waitFor(async () => {
        clock.advance(step);
        // Whoever was woken does what he was woken for.
        await new Promise<void>((resolve) => setImmediate(resolve));
        if (!(await holds())) throw new Error('not yet');
      }, PATIENCE),
    close: async () => {
      await Promise.all(running.map(async (one) => await one.stop()));
      await Promise.all(closers.map(async (close) => await close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves as soon as it holds, while time stands still. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => {
    if (!(await holds())) throw new Error('not yet');
  }, PATIENCE);
}
