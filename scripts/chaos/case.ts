import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { openJournal } from '../../src/compose.ts';
import { difference, type Effects, hookEffects, together, total } from './effects.ts';
import type { Point } from './points.ts';
import { type Ended, processesOf } from './processes.ts';
import type { World } from './world.ts';

export interface Case {
  readonly point: Point;
  /** Where each process of the run is killed, in turn; the one after the last is left in peace. */
  readonly kills: readonly string[];
}

/** What an undisturbed run does, and where it starts and ends. */
export interface Undisturbed {
  readonly start: Form;
  readonly end: Form;
  readonly effects: Effects;
}
type Form = ReadonlyMap<string, string>;

export interface CaseResult {
  readonly point: string;
  readonly kills: number;
  readonly resumes: number;
  readonly end: 'target' | 'start' | 'other';
  /** Counted from outside. */
  readonly effects: number;
  readonly ms: number;
  /** Empty: as it should be. */
  readonly flaws: readonly string[];
}

/** A process that is asked to go on more often than that goes round in circles. */
const MOST_PROCESSES = 6;

/** Kills a run where the case says, goes on with it from other processes, and looks at what came of it from outside. */
export async function runCase(world: World, undisturbed: Undisturbed, { point, kills }: Case): Promise<CaseResult> {
  const began = performance.now();
  await world.reset();
  const measured = await startMeasuring(world);
  const flaws: string[] = [];
  const queue = [...kills];
  let [killed, resumes] = [0, 0];
  let ended: Ended | undefined;
  for (let process = 1; process <= MOST_PROCESSES; process += 1) {
    const run = await newRun(world, measured.former);
    const at = queue.shift();
    if (run !== undefined) resumes += 1;
    ended = await carryOn(world, run, at);
    if (ended.signal !== 'SIGKILL') break;
    killed += 1;
  }
  if (killed === 0) flaws.push('the point was not reached');
  if (ended?.code !== 0) flaws.push(`the last process ended with ${ended?.signal ?? ended?.code}: ${lastLine(ended)}`);
  const [form, effects] = await Promise.all([world.form(), measured.effects()]);
  const end = sameForm(form, undisturbed.end) ? 'target' : sameForm(form, undisturbed.start) ? 'start' : 'other';
  if (end !== 'target') flaws.push(`the stack is at ${end === 'start' ? 'its start' : 'neither start nor target'}`);
  const { doubled, lost } = difference(undisturbed.effects, effects);
  flaws.push(...doubled.map((what) => `doubled: ${what}`), ...lost.map((what) => `lost: ${what}`));
  flaws.push(...(await remains(world)));
  // What is left unfinished would keep every later case of this stack from its start.
  if (flaws.length > 0) await world.forgetLease();
  const ms = performance.now() - began;
  return { point: point.at, kills: killed, resumes, end, effects: total(effects), ms, flaws };
}

/** The first process plans and starts; as soon as there is a run, the others go on with it. */
export async function carryOn(world: World, run: string | undefined, at: string | undefined): Promise<Ended> {
  const args = [...(run === undefined ? world.begin : ['resume', run]), '--yes', '--output', 'json'];
  return await world.start(args, at === undefined ? {} : { BACKSTAY_FAILPOINT: at }).ended;
}

/** From now on: effects by those who had them, and the run that is new. */
export async function startMeasuring(
  world: World,
): Promise<{ readonly former: string | undefined; effects(): Promise<Effects> }> {
  const [since, commands, former] = await Promise.all([world.audit.end(), world.commandRuns(), newestRun(world)]);
  const calls = world.receivers.calls.length;
  const data = await world.database?.startMeasuring();
  return {
    former,
    effects: async () => {
      const [writes, ran, committed] = await Promise.all([
        world.audit.writes(world.namespace, since),
        world.commandRuns(),
        data?.(),
      ]);
      // The line that the command writes is its run's id: a repeat for the same run is the same wish.
      const runs = new Set(ran.slice(commands.length));
      const called = hookEffects(world.receivers.calls.slice(calls));
      return together(writes, called, new Map([['command', runs.size]]), committed ?? new Map());
    },
  };
}

async function newRun(world: World, former: string | undefined): Promise<string | undefined> {
  const newest = await newestRun(world);
  return newest === former ? undefined : newest;
}

export async function newestRun(world: World): Promise<string | undefined> {
  const opened = await openJournal(world.env, world.dir);
  try {
    return (await opened.journal.runs(world.stack))[0]?.run;
  } finally {
    await opened.close();
  }
}

/** What must not be left once a run is over. */
async function remains(world: World): Promise<readonly string[]> {
  const [processes, holder, files] = await Promise.all([
    processesOf(world.stateDir),
    world.holder(),
    readdir(world.dir, { recursive: true }),
  ]);
  const left = files.filter((file) => /\.writing-|\.[0-9a-f]{8}-[0-9a-f-]{27}$|engine\/run-[^/]+$/.test(file));
  return [
    ...processes.map((one) => `still running: ${one}`),
    ...(holder === '' ? [] : [`the lease is still held by ${holder}`]),
    ...left.filter((file) => existsSync(`${world.dir}/${file}`)).map((file) => `left behind: ${file}`),
  ];
}

function sameForm(a: Form, b: Form): boolean {
  return a.size === b.size && [...a].every(([name, digest]) => b.get(name) === digest);
}

function lastLine(ended: Ended | undefined): string {
  return (ended?.stderr ?? '').trim().split('\n').slice(-3).join(' | ');
}
