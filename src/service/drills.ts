import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import type { Json, Stack } from '../model/index.ts';
import type { RunMark, ServiceRecord } from '../ports/index.ts';
import type { ServiceDeps } from './deps.ts';

/** A backup that is restored beside the live data, counted and dropped again, in a process of its own. */
export interface Drill {
  readonly id: string;
  readonly stack: string;
  readonly store: string;
  /** Id, or `latest`. */
  readonly backup: string;
  readonly by: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** `proven`: it restores. `lost`: its process ended without a word. */
  readonly state: 'running' | 'proven' | 'failed' | 'lost';
  /** What the command told at its end, as `backstay db verify --output json` does. */
  readonly result?: Json;
}

interface Kept extends Drill {
  /** Absent: it is about to be started. */
  readonly process?: RunMark;
}

type Deps = Pick<ServiceDeps, 'records' | 'clock' | 'files' | 'processes' | 'stateDir'>;

const keyOf = (stack: string, id: string): string => `${stack}/${id}`;
const logOf = (stateDir: string, id: string): string => join(stateDir, 'drills', `${id}.log`);

/** @throws STORE_UNKNOWN; TOOL_MISSING when no process can be started */
export async function startDrill(
  {
    stack,
    store,
    backup,
    by,
  }: { readonly stack: Stack; readonly store?: string; readonly backup: string; readonly by: string },
  deps: Deps,
): Promise<Drill> {
  const { records, clock, processes, stateDir } = deps;
  const startedAt = new Date(clock.now()).toISOString();
  // Sorts by time.
  const id = `${startedAt.replaceAll(/[-:.TZ]/g, '')}-${randomUUID().slice(0, 8)}`;
  const named = storeOf(stack, store);
  const kept: Kept = { id, stack: stack.name, store: named, backup, by, startedAt, state: 'running' };
  const made = await records.put('drill', keyOf(stack.name, id), 0, kept as unknown as Json);
  try {
    const args = ['db', 'verify', stack.name, backup, named];
    const { mark } = await processes.command(args, { user: by, log: logOf(stateDir, id), without: [] });
    await records.put('drill', keyOf(stack.name, id), 1, { ...kept, process: mark } as unknown as Json);
    return kept;
  } catch (error) {
    if (made !== undefined) await records.remove('drill', made.key, 0);
    throw error;
  }
}

function storeOf({ name, stores }: Stack, given: string | undefined): string {
  const names = stores.map((store) => store.name);
  const [only] = names;
  if (given === undefined && names.length === 1 && only !== undefined) return only;
  if (given !== undefined && names.includes(given)) return given;
  const which = given === undefined ? 'has not exactly one data store' : `has no data store ${given}`;
  throw new BackstayError('STORE_UNKNOWN', `The stack ${name} ${which}; there are: ${names.join(', ') || 'none'}.`);
}

/** The newest first. Those that ended since somebody last looked are settled by what they wrote. */
export async function listDrills(stack: string, deps: Deps): Promise<readonly Drill[]> {
  const records = await deps.records.list('drill', { prefix: `${stack}/`, newestFirst: true });
  return await Promise.all(records.map(async (record) => await settled(record, deps)));
}

/** One of them, settled where it has ended; whether its process is seen at work from here. Undefined: there is none. */
export async function findDrill(
  stack: string,
  id: string,
  deps: Deps,
): Promise<{ readonly drill: Drill; readonly isSeen: boolean } | undefined> {
  const record = await deps.records.get('drill', keyOf(stack, id));
  if (record === undefined) return undefined;
  const drill = await settled(record, deps);
  const { process } = record.value as unknown as Kept;
  return { drill, isSeen: process !== undefined && (await deps.processes.find(process)) === 'at work' };
}

/** Milliseconds after which nothing is heard any more of a process on another machine, or of one that was never begun. */
const LONGEST_MS = 86_400_000;

async function settled(record: ServiceRecord, deps: Deps): Promise<Drill> {
  const { records, clock, files, processes, stateDir } = deps;
  const { process, ...drill } = record.value as unknown as Kept;
  if (drill.state !== 'running') return drill;
  const isOld = clock.now() - Date.parse(drill.startedAt) > LONGEST_MS;
  const isGone = process !== undefined && (await processes.find(process)) === 'gone';
  if (!isGone && !isOld) return drill;
  const bytes = await files.read(logOf(stateDir, drill.id));
  const end = endOf(bytes === undefined ? '' : new TextDecoder().decode(bytes));
  const now: Drill = { ...drill, ...end };
  await records.put('drill', record.key, record.version, now as unknown as Json);
  return now;
}

/** The last document that the command wrote. Pure. */
export function endOf(log: string): Pick<Drill, 'state' | 'result'> {
  const documents = log.split('\n').flatMap((line) => documentIn(line));
  const last = documents.findLast(({ kind }) => kind === 'Backup' || kind === 'Error');
  if (last === undefined) return { state: 'lost' };
  return { state: last.kind === 'Backup' && last['proven'] === 'restored' ? 'proven' : 'failed', result: last as Json };
}

export function documentIn(line: string): readonly { readonly kind: string; readonly [key: string]: unknown }[] {
  if (!line.startsWith('{')) return [];
  try {
    const found = JSON.parse(line) as { readonly kind?: unknown };
    return typeof found.kind === 'string' ? [found as { readonly kind: string }] : [];
  } catch {
    // A line that was cut off, or is no document of ours.
    return [];
  }
}
