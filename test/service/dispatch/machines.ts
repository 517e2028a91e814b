import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSqliteRecords } from '../../../src/adapters/sqlite/index.ts';
import { isBackstayError } from '../../../src/errors/index.ts';
import type { Clock, CommandProcesses, JournalStore, RunProcesses, ServiceStore } from '../../../src/ports/index.ts';
import { createRun, type Executor, type Executors, resumeRun, type RunDeps } from '../../../src/rollback/index.ts';
import { type Claim, claimIn, stored } from '../../../src/service/dispatch/claim.ts';
import { Dispatcher, type DispatcherOptions } from '../../../src/service/dispatch/dispatcher.ts';
import { FollowedRuns } from '../../../src/service/dispatch/followed.ts';
import { RunFeeds } from '../../../src/service/feeds.ts';
import { aPlan, aStack, aStep, fakeClock } from '../../rollback/builders.ts';
import { memoryJournal } from '../../rollback/memory-journal.ts';
import { type MemoryLock, memoryLock } from '../../rollback/memory-lock.ts';
import { actionOf } from '../../rollback/world.ts';

/**
 * Services on several machines over one set of real records, one journal and one lock a stack. The processes of runs are the
 * real machine of runs in this process; only what their steps do is made up: an act waits until the test lets it go.
 */
export interface Machines {
  readonly records: ServiceStore;
  readonly journal: ReturnType<typeof memoryJournal>;
  readonly clock: Clock & { advance(ms: number): void };
  /** `RUN STEP`, in the order in which acts were done. */
  readonly acts: string[];
  /** `HOST RUN`, in the order in which processes were started. */
  readonly starts: string[];
  /** Acts that were done while another process of the run was at work. */
  readonly overlaps: readonly string[];
  /** Acts that wait are done, and those to come at once. */
  go(): void;
  /** Acts wait again. */
  hold(): void;
  /** The service process of the machine dies, and another one is to be started. */
  bury(host: string): void;
  /** The machine's processes die in what they do. */
  kill(host: string): void;
  depsOf(host: string): DispatcherOptions['deps'];
  /** A service on that machine, with a memory of its own. */
  service(host: string, limits?: { readonly runs: number }, records?: ServiceStore): Dispatcher;
  /** As a service asks for it. */
  ask(run: string, part?: Parameters<typeof aPlan>[0], claim?: Partial<Claim>): Promise<void>;
  claim(run: string): Promise<Claim | undefined>;
  /** What the process of a run says instead of beginning. */
  /** Stack files of a machine. @default all */
  readonly known: Record<string, readonly string[]>;
  broken: Map<string, { readonly code: string; readonly message: string }>;
  until(condition: () => boolean | Promise<boolean>): Promise<void>;
  close(): Promise<void>;
}

class Killed extends Error {}

export async function machines(clock: Machines['clock'] = fakeClock()): Promise<Machines> {
  const dir = await mkdtemp(join(tmpdir(), 'backstay-dispatch-'));
  const records = await createSqliteRecords({ file: join(dir, 'journal.sqlite') });
  const journal = memoryJournal();
  const locks = new Map<string, MemoryLock>();
  const lockOf = (stack: string): MemoryLock => {
    const lock = locks.get(stack) ?? memoryLock();
    locks.set(stack, lock);
    return lock;
  };
  const [acts, starts, overlaps]: [string[], string[], string[]] = [[], [], []];
  /** Processes that act, or have acted and live. */
  const acting = new Set<number>();
  const generations = new Map<string, number>();
  const over = new AbortController();
  const processes = new Map<
    number,
    {
      readonly host: string;
      readonly run: string;
      readonly stop: AbortController;
      dead: boolean;
      readonly stack: string;
    }
  >();
  let gate = Promise.withResolvers<void>();
  const kills = new EventTarget();
  const broken: Machines['broken'] = new Map();
  const logs = new Map<string, string>();
  const known: Record<string, readonly string[]> = {};

  const start = (host: string, run: string, user: string, log: string): { pid: number; ended: Promise<void> } => {
    const pid = processes.size + 1;
    const stack = journal.entries.find((entry) => entry.run === run)?.stack ?? '';
    const own = { host, run, stop: new AbortController(), dead: false, stack };
    processes.set(pid, own);
    starts.push(`${host} ${run}`);
    const lives = <T>(value: T): T => {
      if (own.dead) throw new Killed();
      return value;
    };
    const kept: JournalStore = { ...journal, append: async (entry) => await journal.append(lives(entry)) };
    const act: Executor = async (action, context) => {
      if (action.kind === 'lease') {
        await context.deps.lock.acquire(stack, { run, journal: 'memory', user, host });
        return { outcome: 'done' };
      }
      const killed = new Promise<never>((_resolve, reject) => {
        kills.addEventListener(host, () => reject(new Killed()), { once: true });
      });
      killed.catch(() => undefined);
      await Promise.race([gate.promise, killed]);
      await context.effect(async () => {
        const others = [...processes].filter(([other, { dead, run: of }]) => of === run && other !== pid && !dead);
        overlaps.push(...others.filter(([other]) => acting.has(other)).map(() => `${run} ${context.step.id}`));
        acting.add(pid);
        const act = `${run} ${context.step.id}`;
        // As every step does it: it looks before it acts.
        if (!acts.includes(act)) acts.push(act);
      });
      return lives({ outcome: 'done' as const });
    };
    const lock = lockOf(stack);
    const deps = {
      stack: aStack({ name: stack }),
      by: { user, host },
      journal: kept,
      journalName: 'memory',
      lock,
      clock,
      reporter: { report: () => undefined },
    } as unknown as RunDeps;
    const said = broken.get(run);
    const executors = new Proxy({}, { get: () => act }) as Executors;
    const work =
      said === undefined ? resumeRun({ run, deps, executors, signal: own.stop.signal }) : Promise.reject(said);
    const ended = work.then(
      () => void (own.dead = true),
      (error: unknown) => {
        own.dead = true;
        const told = said ?? (isBackstayError(error) ? { code: error.code, message: error.message } : undefined);
        logs.set(log, told === undefined ? '' : JSON.stringify({ kind: 'Error', ...told }));
      },
    );
    return { pid, ended };
  };

  const processesOf = (host: string): RunProcesses & CommandProcesses => ({
    command: async () => await Promise.reject(new TypeError('no run is such a command')),
    start: async (run, { user, log }) => {
      const { pid, ended } = start(host, run, user, log);
      return { mark: { machine: host, pid, started: pid }, ended };
    },
    // One service process a machine, until it is told that it died.
    self: async () => ({ machine: host, pid: 0, started: generations.get(host) ?? 0 }),
    find: async ({ machine, pid, started }) => {
      if (machine !== host) return 'elsewhere';
      if (pid === 0) return started === (generations.get(host) ?? 0) ? 'at work' : 'gone';
      return processes.get(pid)?.dead === false ? 'at work' : 'gone';
    },
    stop: async ({ pid }) => {
      processes.get(pid)?.stop.abort(new Error('SIGTERM'));
      return true;
    },
  });

  const depsOf: Machines['depsOf'] = (host) => ({
    records,
    journal,
    journalName: 'memory',
    clock,
    files: {
      read: async (path) => (logs.has(path) ? new TextEncoder().encode(logs.get(path)) : undefined),
      write: async () => undefined,
    },
    processes: processesOf(host),
    by: { user: 'service', host },
    stateDir: `/state/${host}`,
    stack: async (name) => aStack({ name }),
    stackNames: async () =>
      ['medical-kg', 's1', 's2', 's3', 'r1', 'r2', 'r3'].filter((name) => known[host]?.includes(name) ?? true),
  });

  const made: Machines = {
    records,
    journal,
    clock,
    acts,
    starts,
    overlaps,
    known,
    broken,
    go: () => gate.resolve(),
    hold: () => {
      gate = Promise.withResolvers<void>();
    },
    bury: (host) => void generations.set(host, (generations.get(host) ?? 0) + 1),
    kill: (host) => {
      for (const one of processes.values()) {
        if (one.host !== host || one.dead) continue;
        one.dead = true;
        lockOf(one.stack).kill();
      }
      kills.dispatchEvent(new Event(host));
    },
    depsOf,
    service: (host, limits = { runs: 4 }, own = records) =>
      new Dispatcher({
        deps: { ...depsOf(host), records: own },
        self: `${host}/${Math.random()}`,
        limits,
        runs: new FollowedRuns({ journal, feeds: new RunFeeds(journal) }, over.signal, () => undefined),
        log: () => undefined,
        wake: () => undefined,
      }),
    ask: async (run, part = {}, claim = {}) => {
      const steps = [
        aStep('lease', 'locked', { action: actionOf('lease') }),
        aStep('a', 'frozen'),
        aStep('b', 'frozen'),
      ];
      const plan = aPlan({ steps, ...part });
      const value: Claim = {
        stack: plan.stack,
        by: 'anna',
        askedAt: new Date(clock.now()).toISOString(),
        failures: 0,
        ...claim,
      };
      await records.put('claim', run, 0, stored(value));
      await createRun(
        { run, plan },
        { journal, clock, reporter: { report: () => undefined }, by: { user: 'anna', host: 'page' } },
      );
    },
    claim: async (run) => {
      const record = await records.get('claim', run);
      return record === undefined ? undefined : claimIn(record);
    },
    until: async (condition) => {
      while (!(await condition())) await new Promise<void>((resolve) => setImmediate(resolve));
    },
    close: async () => {
      over.abort();
      gate.resolve();
      await records.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return made;
}
