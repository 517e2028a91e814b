import { BackstayError } from '../errors/index.ts';
import {
  type Backup,
  type BaseBackup,
  describeTarget,
  microsOf,
  type PlanOptions,
  type Proof,
  provenTo,
  type RecoveryTarget,
  type RecoveryWindow,
} from '../model/index.ts';
import type { DataStore } from '../ports/index.ts';
import { chooseStore } from './db.ts';

/** What was asked for of the past: `time` and `restorePoint` as they were typed. */
export interface PastAsked {
  readonly time?: string;
  readonly restorePoint?: string;
}

/** Undefined: the past was not asked for. @throws USAGE */
export function targetOf({ time, restorePoint }: PastAsked): RecoveryTarget | undefined {
  if (time !== undefined && restorePoint !== undefined)
    throw new BackstayError('USAGE', 'A time and a restore point were given; a backup holds one moment.', {
      next: 'Give one of them.',
    });
  if (restorePoint !== undefined) return { kind: 'restore-point', name: restorePoint };
  if (time === undefined) return undefined;
  if (microsOf(time) !== undefined) return { kind: 'time', time };
  throw new BackstayError('USAGE', `${time} is no moment: it needs date, time and offset.`, {
    next: 'Write it as 2026-01-31T12:00:00Z, or with +01:00 at its end.',
  });
}

/**
 * An ordinary backup of a moment of the past, proven as any other. The live data is not touched.
 * @throws STORE_UNSUPPORTED, RECOVERY_REFUSED naming what is possible, RECOVERY_FAILED
 */
export async function backUpPast(
  store: DataStore,
  target: RecoveryTarget,
  options: { readonly prove: 'read' | 'restored'; readonly promote?: boolean; readonly signal?: AbortSignal },
): Promise<{ readonly backup: Backup; readonly proven: Proof }> {
  const { prove, promote = false, signal } = options;
  const given = signal === undefined ? {} : { signal };
  if (store.backupAt === undefined) throw withoutPast(store);
  const taken = await store.backupAt(target, { promote, ...given });
  const backup = await store.prove(taken, prove, signal);
  return { backup, proven: provenTo(backup) ?? 'listed' };
}

/** `@2026-01-31T12:00:00Z` or `@RESTORE-POINT`, in the place of a backup's id. Undefined: it is an id. */
export function momentOf(said: string): RecoveryTarget | undefined {
  if (!said.startsWith('@')) return undefined;
  const moment = said.slice(1);
  return microsOf(moment) === undefined ? { kind: 'restore-point', name: moment } : { kind: 'time', time: moment };
}

/**
 * Restores that name a moment of the past, each made an ordinary backup first: the plan then names that. The live data is not
 * touched. @throws as `backUpPast`, STORE_UNKNOWN
 */
export async function withMoments(
  options: PlanOptions,
  stores: () => Promise<readonly DataStore[]>,
  given: { readonly stack: string; readonly tell: (message: string) => void; readonly signal?: AbortSignal },
): Promise<PlanOptions> {
  const { data } = options;
  const moments = Object.entries(data?.restore ?? {}).flatMap(([name, said]) => {
    const target = momentOf(said);
    return target === undefined ? [] : [{ name, target }];
  });
  if (moments.length === 0) return options;
  const made: Record<string, string> = {};
  for (const { name, target } of moments) {
    given.tell(`recovering a copy of ${name} at ${describeTarget(target)} …`);
    const store = chooseStore(await stores(), name, given.stack);
    const signal = given.signal === undefined ? {} : { signal: given.signal };
    made[name] = (await backUpPast(store, target, { prove: 'read', ...signal })).backup.manifest.id;
  }
  return { ...options, data: { ...data, restore: { ...data?.restore, ...made } } };
}

/** @throws STORE_UNSUPPORTED, STORE_REFUSED naming the right or the room that is missing, RECOVERY_FAILED */
export async function takeBase(store: DataStore, signal?: AbortSignal): Promise<BaseBackup> {
  if (store.takeBase === undefined) throw withoutPast(store);
  return await store.takeBase(signal);
}

export interface ListedPast {
  /** Absent: the store keeps none. */
  readonly windows?: readonly RecoveryWindow[];
  /** Why it could not be told, in words. */
  readonly pastProblem?: string;
}

/** From when to when one can go. What keeps one store from telling is said, and keeps no other. */
export async function pastOf(store: DataStore): Promise<ListedPast> {
  if (store.windows === undefined) return {};
  try {
    return { windows: await store.windows() };
  } catch (error) {
    return { pastProblem: error instanceof Error ? error.message : String(error) };
  }
}

function withoutPast({ setting }: DataStore): BackstayError {
  return new BackstayError(
    'STORE_UNSUPPORTED',
    `${setting.name} has no archive: only its backups can be gone back to.`,
    {
      next: 'Name base backups and log with `archive` in the stack file; docs/databases.md tells how.',
    },
  );
}
