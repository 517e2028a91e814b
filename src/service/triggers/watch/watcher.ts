import { type MeasureDeps, measureTick } from '../../../actions/measure.ts';
import { isBackstayError } from '../../../errors/index.ts';
import { fold } from '../../../journal/index.ts';
import type { Json, TriggerPolicy, WatchSetting } from '../../../model/index.ts';
import type { LoopDeps } from '../../loops.ts';
import { receive } from '../intake.ts';
import { readAll } from '../records.ts';
import { type Baseline, isDue, learn, usualOf } from './baseline.ts';
import { type Judged, judge, QUIET, type Tick, type WatchState } from '../../../actions/watch-judge.ts';
import { alertOf, fingerprintOf } from './tell.ts';

type Deps = Pick<LoopDeps, 'records' | 'journal' | 'clock' | 'log'>;

export interface Watched {
  readonly stack: string;
  readonly policy: TriggerPolicy;
  /** How the routes of the stack are reached. */
  readonly measure: MeasureDeps;
}

/** All watches of one stack, each in its own time, until the signal fires. Never throws: what fails is measured as unknown. */
export async function watchAll(watched: Watched, deps: Deps, signal: AbortSignal): Promise<void> {
  const states = new Map<string, WatchState>();
  const isWell = (): boolean =>
    [...states.values()].every(
      ({ beyondSince, firingSince }) => beyondSince === undefined && firingSince === undefined,
    );
  await Promise.all(
    watched.policy.watches.map(async (setting) => {
      states.set(setting.name, await remembered(watched.stack, setting, deps).catch(() => QUIET));
      await watchOne(setting, { ...watched, states, isWell }, deps, signal);
    }),
  );
}

interface Watching extends Watched {
  readonly states: Map<string, WatchState>;
  readonly isWell: () => boolean;
}

/** A measurement that takes too long costs its turn, and the next comes when it is due. */
async function watchOne(setting: WatchSetting, watching: Watching, deps: Deps, signal: AbortSignal): Promise<void> {
  const { clock, log } = deps;
  const { stack } = watching;
  for (let due = clock.monotonic(); !signal.aborted; ) {
    const tick = await measureTick(setting, { at: clock.now(), signal }, watching.measure);
    if (signal.aborted) return;
    try {
      await turn(setting, tick, watching, deps);
    } catch (error) {
      // The state is as before: the next measurement says it again.
      const code = isBackstayError(error) ? error.code : 'INTERNAL';
      log({ level: 'error', event: 'watch.failed', stack, watch: setting.name, code });
    }
    const late = clock.monotonic() - due;
    due += setting.everyMs * Math.max(1, Math.ceil(late / setting.everyMs));
    await clock.delay(Math.max(0, due - clock.monotonic()), signal).catch(() => undefined);
  }
}

/** One measurement, judged, told and learnt from. Exported for its tests. */
export async function turn(setting: WatchSetting, tick: Tick, watching: Watching, deps: Deps): Promise<void> {
  const { stack, policy, states, isWell } = watching;
  const before = states.get(setting.name) ?? QUIET;
  const key = `${stack}/${setting.name}`;
  const record = await deps.records.get('baseline', key);
  const baseline = record?.value as unknown as Baseline | undefined;
  const judged = judge(setting, before, tick, usualOf(baseline));
  await tell(setting, before, judged, { stack, policy }, deps);
  states.set(setting.name, judged.state);
  const { value } = judged;
  if (value === undefined || !isWell() || !isDue(baseline, tick.at)) return;
  if (!(await isUndisturbed(stack, deps))) return;
  // Of two services that learn at once, one does.
  const learnt = learn(baseline, value, tick.at) as unknown as Json;
  await deps.records.put('baseline', key, record?.version ?? 0, learnt);
}

async function tell(
  setting: WatchSetting,
  before: WatchState,
  judged: Judged,
  { stack, policy }: Pick<Watching, 'stack' | 'policy'>,
  deps: Deps,
): Promise<void> {
  const startsAt = judged.tells === 'resolved' ? before.firingSince : judged.state.firingSince;
  if (judged.tells === undefined || startsAt === undefined) return;
  await receive(alertOf(stack, setting, judged, startsAt, deps.clock.now()), policy, deps);
}

/** What a service before this one told and did not take back. */
async function remembered(stack: string, { name }: WatchSetting, { records }: Deps): Promise<WatchState> {
  const fingerprint = fingerprintOf(stack, name);
  const alerts = await readAll(records, 'alert', { prefix: `${stack}/` });
  const last = alerts.findLast(
    ({ value }) => value.alert.source === 'watch' && value.alert.fingerprint === fingerprint,
  );
  return last === undefined || last.value.resolvedAt !== undefined
    ? QUIET
    : { ...QUIET, firingSince: last.value.alert.startsAt };
}

/** Neither an alert nor a run makes figures of this moment unusual. */
async function isUndisturbed(stack: string, { records, journal }: Deps): Promise<boolean> {
  const alerts = await readAll(records, 'alert', { prefix: `${stack}/` });
  if (alerts.some(({ value }) => value.resolvedAt === undefined && value.state !== 'ignored')) return false;
  const newest = (await journal.runs(stack))[0];
  return newest === undefined || fold(await journal.read(newest.run)).ended !== undefined;
}
