import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { type ClientRequest, get } from 'node:http';
import { join } from 'node:path';
import { createSqliteJournal } from '../../src/adapters/sqlite/index.ts';
import { JOURNAL_FORMAT, type JournalEntry, type JournalFact, linkOf } from '../../src/journal/index.ts';
import type { JournalStore } from '../../src/ports/index.ts';
import type { Bench } from './bench.ts';
import { type Figure, sampled } from './figure.ts';
import { type Home, ROOT } from './home.ts';
import { emptyPlan, progressOf } from './journal.ts';

const WATCHERS = 200;
/** Facts, each durable, with events between them, as a run at work writes them. */
const FACTS = 100;
const EVENTS_A_FACT = 3;
/** Milliseconds between two facts: more than any run writes. */
const PACE_MS = 20;
const ASKED = 200;
/** Milliseconds after which watchers that saw nothing are a fault, and no figure. */
const LIMIT_MS = 30_000;

/** The same run twice, written by another process than the service: alone, and while people watch it. */
export const service: Bench = {
  name: 'service',
  what: `${WATCHERS} people watch a run, and others ask`,
  async measure({ home, say }) {
    const file = join(home.dir, 'state', 'journal.sqlite');
    const store = await createSqliteJournal({ file });
    const server = await serve(home);
    const watchers: Watcher[] = [];
    try {
      const idle = await residentMB(server.pid);
      say('a run that nobody watches');
      const alone = await write('alone', store, async () => undefined);
      say(`a run that ${WATCHERS} watch`);
      const before = await processorMs(server.pid);
      const first = entry(undefined, 'watched', { kind: 'run-created', plan: emptyPlan('bench'), by: BY });
      await store.append(first);
      for (let i = 0; i < WATCHERS; i++) watchers.push(new Watcher(`${server.url}/v1/runs/watched/events`));
      await Promise.all(watchers.map(async ({ connected }) => await connected));
      const answers: number[] = [];
      const asking = askFor(`${server.url}/v1/runs/watched`, answers);
      const stored = new Map<number, number>();
      const watched = await write(
        'watched',
        store,
        async (sequence) => void stored.set(sequence, performance.now()),
        first,
      );
      await asking;
      const last = Math.max(...stored.keys());
      await Promise.all(watchers.map(async (watcher) => await watcher.until(last)));
      const late = watchers.flatMap(({ seen }) => [...seen].map(([sequence, at]) => at - (stored.get(sequence) ?? at)));
      const busy = await residentMB(server.pid);
      const worked = (await processorMs(server.pid)) - before;
      return {
        figures: [
          { name: 'service.idle', what: 'memory of a service that does nothing', unit: 'MB', value: idle, atMost: 150 },
          { name: 'service.busy', what: `memory with ${WATCHERS} watchers`, unit: 'MB', value: busy },
          {
            name: 'service.cpu',
            what: `its processor time for ${FACTS * (EVENTS_A_FACT + 1)} entries, ${WATCHERS} watchers, ${ASKED} answers`,
            unit: 'ms',
            value: worked,
          },
          sampled({ name: 'service.append', what: 'a durable entry of a run that nobody watches', unit: 'ms' }, alone),
          sampled({ name: 'service.watched', what: `the same while ${WATCHERS} watch`, unit: 'ms' }, watched),
          highest('service.delay', 'from stored to seen, 99 of 100 watchers', late),
          { ...highest('service.answer', 'an answer meanwhile, 99 of 100', answers), atMost: 50 },
        ],
      };
    } finally {
      for (const watcher of watchers) watcher.leave();
      await server.stop();
      await store.close();
    }
  },
};

const BY = { user: 'ada', host: 'laptop' };

function entry(previous: JournalEntry | undefined, run: string, fact: JournalFact): JournalEntry {
  return {
    format: JOURNAL_FORMAT,
    ...(previous === undefined ? {} : { previous: linkOf(previous) }),
    run,
    stack: 'bench',
    sequence: (previous?.sequence ?? 0) + 1,
    time: new Date().toISOString(),
    ...fact,
  };
}

/** Milliseconds that each durable entry took. `told` hears of every event once it is stored. */
async function write(
  run: string,
  store: JournalStore,
  told: (sequence: number) => Promise<void>,
  begun?: JournalEntry,
): Promise<number[]> {
  let last = begun ?? entry(undefined, run, { kind: 'run-created', plan: emptyPlan('bench'), by: BY });
  if (begun === undefined) await store.append(last);
  const took: number[] = [];
  for (let i = 0; i < FACTS; i++) {
    for (let n = 0; n < EVENTS_A_FACT; n++) {
      last = entry(last, run, progressOf(i * EVENTS_A_FACT + n, run));
      await store.append(last);
      await told(last.sequence);
    }
    last = entry(last, run, { kind: 'noted', by: BY, topic: 'impact', text: `note ${i}` });
    const began = performance.now();
    await store.append(last);
    took.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, PACE_MS));
  }
  return took;
}

/** One connection, with the time at which each event came. */
class Watcher {
  readonly seen = new Map<number, number>();
  readonly connected: Promise<void>;
  readonly #request: ClientRequest;
  #wake: (() => void) | undefined;

  constructor(url: string) {
    const connected = Promise.withResolvers<void>();
    this.connected = connected.promise;
    this.#request = get(url, { agent: false }, (response) => {
      if (response.statusCode !== 200) connected.reject(new TypeError(`${url} answers ${response.statusCode}`));
      response.on('data', (chunk: Buffer) => {
        connected.resolve();
        const now = performance.now();
        for (const [, id] of chunk.toString().matchAll(/^id: (\d+)$/gm)) this.seen.set(Number(id), now);
        this.#wake?.();
      });
      response.on('error', () => undefined);
    });
    this.#request.on('error', connected.reject);
  }

  async until(sequence: number): Promise<void> {
    const limit = setTimeout(() => this.#request.destroy(), LIMIT_MS);
    while (!this.seen.has(sequence)) {
      if (this.#request.destroyed) throw new TypeError(`a watcher did not see entry ${sequence}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#request.once('close', resolve);
      });
    }
    clearTimeout(limit);
  }

  leave(): void {
    this.#request.on('error', () => undefined);
    this.#request.destroy();
  }
}

/** One after the other, as somebody with a page open asks. */
async function askFor(url: string, took: number[]): Promise<void> {
  for (let i = 0; i < ASKED; i++) {
    const began = performance.now();
    const answer = await fetch(url);
    await answer.text();
    if (answer.status !== 200) throw new TypeError(`${url} answers ${answer.status}`);
    took.push(performance.now() - began);
  }
}

export function highest(name: string, what: string, samples: readonly number[]): Figure {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0;
  return { name, what, unit: 'ms', value: Math.round(value * 10) / 10 };
}

interface Server {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function serve(home: Home): Promise<Server> {
  const args = ['serve', '--listen', '127.0.0.1:0', '--output', 'json'];
  const child = spawn(join(ROOT, 'bin', 'backstay'), args, { env: home.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = await listening(child);
  return {
    url,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function listening(child: ChildProcess): Promise<string> {
  let said = '';
  return await new Promise((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const url = /"event":"listening","url":"([^"]+)"/.exec(said)?.[1];
      if (url !== undefined) resolve(url);
    });
    child.once('close', () => reject(new TypeError(`the service ended:\n${said}`)));
  });
}

/** In ticks of a hundredth of a second, on every Linux there is. */
async function processorMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function residentMB(pid: number): Promise<number> {
  const kB = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kB) / 1024);
}
