import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Case, type CaseResult, carryOn, runCase, startMeasuring, type Undisturbed } from './case.ts';
import { fromThereOn, type Point, pointsIn } from './points.ts';
import { World, type WorldOptions } from './world.ts';

export interface ChaosOptions extends WorldOptions {
  /** Cases at once, each on a stack of its own. */
  readonly parallel: number;
  readonly say: (line: string) => void;
  /** Which of the points that a traced run came by are tried. */
  readonly choose: (points: readonly Point[]) => readonly Point[];
  readonly onResult?: (result: CaseResult, done: number, all: number) => void;
}

interface Place {
  readonly world: World;
  readonly undisturbed: Undisturbed;
  readonly points: readonly Point[];
}

/** Traces an undisturbed run on each stack, then kills runs at every chosen point, once and twice. */
export async function chaos(options: ChaosOptions): Promise<readonly CaseResult[]> {
  const { say } = options;
  say(`making ${options.parallel} stacks and watching one undisturbed run of each`);
  const worlds = await Promise.all(Array.from({ length: options.parallel }, async () => await World.make(options)));
  try {
    const places = await Promise.all(worlds.map(traced));
    const points = places[0]?.points ?? [];
    const chosen = options.choose(points);
    const cases = chosen.flatMap((point): readonly Case[] => [
      { point, kills: [point.at] },
      { point, kills: [point.at, fromThereOn(point, points)] },
    ]);
    say(`${points.length} points in a run, ${chosen.length} of them tried: ${cases.length} cases`);
    const results: CaseResult[] = [];
    const queue = cases.values();
    const work = async ({ world, undisturbed }: Place): Promise<void> => {
      for (const one of queue) {
        const result = await runCase(world, undisturbed, one);
        results.push(result);
        options.onResult?.(result, results.length, cases.length);
      }
    };
    await Promise.all(places.map(work));
    await Promise.all(worlds.map(async (world) => await world.ok(['verify', world.stack])));
    return results;
  } finally {
    await Promise.all(worlds.map(async (world) => await world.remove()));
  }
}

/** The second run is the measure: the first one also makes what there is once, such as the engine's state. */
async function traced(world: World): Promise<Place> {
  await undisturbedRun(world, []);
  const file = join(world.dir, 'trace');
  const undisturbed = await undisturbedRun(world, [file]);
  const points = pointsIn(await readFile(file, 'utf8'));
  await rm(file);
  return { world, undisturbed, points };
}

async function undisturbedRun(world: World, [trace]: readonly string[]): Promise<Undisturbed> {
  await world.reset();
  const [start, measured] = await Promise.all([world.form(), startMeasuring(world)]);
  if (trace !== undefined) world.env['BACKSTAY_FAILPOINT_TRACE'] = trace;
  const ended = await carryOn(world, undefined, undefined);
  delete world.env['BACKSTAY_FAILPOINT_TRACE'];
  if (ended.code !== 0)
    throw new TypeError(`an undisturbed run ended with ${ended.code}\n${ended.stderr}${ended.stdout}`);
  const [end, effects] = await Promise.all([world.form(), measured.effects()]);
  return { start, end, effects };
}
