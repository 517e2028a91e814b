/**
 * Speed and size of Backstay on this machine, beside what else would do the job, all in one run.
 *
 *   npm run bench -- [--only NAME]… [--size MB] [--json FILE] [--check]
 *
 * A missed target is told and does not fail the command unless `--check` is given. docs/benchmarks.md explains each figure.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { alerts } from './bench/alerts.ts';
import type { Bench } from './bench/bench.ts';
import { engine } from './bench/engine.ts';
import { failover } from './bench/failover.ts';
import { journal } from './bench/journal.ts';
import { type Breakdown, type Figure, isMissed } from './bench/figure.ts';
import { Home } from './bench/home.ts';
import { breakdownTable, describeMachine, figureTable, thisMachine } from './bench/print.ts';
import { stopAll } from './bench/process-times.ts';
import { overhead } from './bench/overhead.ts';
import { page } from './bench/page.ts';
import { restore } from './bench/restore.ts';
import { rollout } from './bench/rollout.ts';
import { service } from './bench/service.ts';
import { capture, diff } from './bench/snapshots.ts';
import { startup } from './bench/startup.ts';
import { parsed } from './parsed.ts';

/** The quiet ones first: from the failover on, pods run beside what is measured. */
const BENCHES: readonly Bench[] = [
  startup,
  journal,
  service,
  page,
  diff,
  capture,
  alerts,
  engine,
  overhead,
  restore,
  rollout,
  failover,
];

const USAGE = `npm run bench -- [--only NAME]… [--json FILE] [--check]; there are ${BENCHES.map(({ name }) => name).join(', ')}`;
const options = parsed(USAGE, () =>
  parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      json: { type: 'string' },
      size: { type: 'string', default: '1024' },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false, short: 'h' },
    },
  }),
).values;
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}
const chosen = BENCHES.filter(({ name }) => options.only === undefined || options.only.includes(name));
const unknown = options.only?.filter((name) => BENCHES.every((bench) => bench.name !== name)) ?? [];
if (unknown.length > 0) {
  console.error(`--only ${unknown.join(', ')}: there are ${BENCHES.map(({ name }) => name).join(', ')}`);
  process.exit(64);
}

const sizeMB = Number(options.size);
if (!Number.isInteger(sizeMB) || sizeMB < 1) {
  console.error('--size takes megabytes of the database that is restored, 1 or more');
  process.exit(64);
}

const began = performance.now();
const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(0)} s`;
let current = '';
const say = (line: string): void => console.error(`[${seconds().padStart(5)}] ${current}: ${line}`);

const machine = thisMachine();
console.error(describeMachine(machine));
const home = new Home(say);
const figures: Figure[] = [];
const breakdowns: Breakdown[] = [];
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interrupted = true;
    stopAll();
  });
}

try {
  for (const bench of chosen) {
    if (interrupted) break;
    current = bench.name;
    say(bench.what);
    const found = await bench.measure({ home, say, sizeMB });
    figures.push(...found.figures);
    breakdowns.push(...(found.breakdowns ?? []));
  }
} catch (error) {
  if (!interrupted) console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = interrupted ? 130 : 1;
} finally {
  await home.remove();
}

const missed = figures.filter(isMissed);
const verdict = (): string => {
  if (process.exitCode !== undefined) return 'not measured to the end';
  return missed.length === 0 ? 'every target met' : `missed: ${missed.map(({ name }) => name).join(', ')}`;
};
console.log(`\n${describeMachine(machine)}\n\n${figureTable(figures)}`);
for (const breakdown of breakdowns) console.log(`\n${breakdownTable(breakdown)}`);
console.log(`\n${verdict()}; took ${seconds()}`);
if (options.json !== undefined) {
  await mkdir(dirname(resolve(options.json)), { recursive: true });
  const report = {
    apiVersion: 'backstay.dev/v1',
    kind: 'BenchReport',
    at: new Date().toISOString(),
    machine,
    figures,
    breakdowns,
  };
  await writeFile(resolve(options.json), `${JSON.stringify(report, null, 2)}\n`);
}
if (options.check && missed.length > 0) process.exitCode ??= 1;
