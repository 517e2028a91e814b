import { isBackstayError } from '../../errors/index.ts';
import { containersOf, knownSecrets, redactorOf } from '../../evidence/index.ts';
import type { KubeObject, ObservedLogs, ObservedSessions, Verdict, WatchSetting } from '../../model/index.ts';
import type { Archive, Clock, Cluster, DataStore, PrivateFiles } from '../../ports/index.ts';
import { evidencePath } from '../evidence.ts';
import { readSecrets } from '../evidence-sources.ts';
import { type MeasureDeps, measureTick } from '../measure.ts';
import { judge, QUIET, type WatchState } from '../watch-judge.ts';
import { errorKinds } from './error-kinds.ts';
import { disturbedSince } from './neighbours.ts';

/** What one look at one subject found; undefined: not enough is known yet to say anything. */
export type Look = { readonly verdict: Verdict; readonly reason: string } | undefined;

/** Looks at one subject, again and again. What it throws is that it could not be measured. */
export type Observer = (signal: AbortSignal) => Promise<Look>;

/** A figure against its limit: `fail` once it was beyond it for as long as the setting says. */
export function watchObserver(setting: WatchSetting, deps: MeasureDeps & { readonly clock: Clock }): Observer {
  let state: WatchState = QUIET;
  let knownAt = deps.clock.now();
  return async (signal) => {
    const at = deps.clock.now();
    const tick = await measureTick(setting, { at, signal }, deps);
    const judged = judge(setting, state, tick, undefined);
    ({ state } = judged);
    const { value, limit } = judged;
    if (value === undefined || limit === undefined) {
      // One answer that is missing is no news; one that stays away is.
      return at - knownAt < patience(setting) ? undefined : { verdict: 'unknown', reason: 'it has no value' };
    }
    knownAt = at;
    const said = `${figure(value)} ${value > limit ? 'is above' : 'of at most'} ${figure(limit)}`;
    if (state.firingSince !== undefined) return { verdict: 'fail', reason: said };
    return value > limit ? undefined : { verdict: 'pass', reason: said };
  };
}

/** Milliseconds for which nothing need be known: windows fill, and a single answer may be lost. */
function patience({ measure, forMs, everyMs }: WatchSetting): number {
  const filling = measure.kind === 'error-rate' || measure.kind === 'latency' ? measure.windowMs : 0;
  return Math.max(forMs, filling, 2 * everyMs);
}

const figure = (value: number): string => String(Number(value.toPrecision(3)));

/** Other clients of a data store, Backstay's own connections left out. */
export function sessionObserver(
  { store: name, atLeast, atMost }: ObservedSessions,
  dataStores: () => Promise<readonly DataStore[]>,
): Observer {
  return async () => {
    const store = (await dataStores()).find(({ setting }) => setting.name === name);
    if (store === undefined) return { verdict: 'unknown', reason: 'there is no such data store' };
    const { length } = await store.sessions();
    const said = `${length} of ${atLeast} to ${atMost} connections`;
    return { verdict: length < atLeast || length > atMost ? 'fail' : 'pass', reason: said };
  };
}

interface ClusterDeps {
  readonly cluster: () => Promise<Cluster>;
  readonly stack: { readonly namespaces: readonly string[] };
}

/** Workloads of a namespace beside the stack; `since`: ISO 8601, when the run began. */
export function neighbourObserver(
  namespace: string,
  since: string,
  { cluster }: Pick<ClusterDeps, 'cluster'>,
): Observer {
  return async (signal) => {
    const api = await cluster();
    const list = async (apiVersion: string, kind: string): Promise<readonly KubeObject[]> => {
      const served = await api.kindOf(apiVersion, kind);
      return served === undefined ? [] : (await api.list(served, { namespace, signal })).items;
    };
    const [pods, replicaSets, ...workloads] = await Promise.all([
      list('v1', 'Pod'),
      list('apps/v1', 'ReplicaSet'),
      ...['Deployment', 'StatefulSet', 'DaemonSet'].map(async (kind) => await list('apps/v1', kind)),
    ]);
    const disturbed = disturbedSince(since, { workloads: workloads.flat(), pods, replicaSets });
    if (disturbed.length > 0) return { verdict: 'fail', reason: disturbed.join('; ') };
    const count = workloads.flat().length;
    return { verdict: 'pass', reason: `${count} ${count === 1 ? 'workload serves' : 'workloads serve'} as before` };
  };
}

export interface LogDeps extends ClusterDeps {
  readonly clock: Clock;
  readonly files: PrivateFiles;
  readonly archive: Archive;
  readonly stateDir: string;
}

/** Bytes of one container's log at one look; what is cut off then is the newest. */
const LOG_BYTES = 1024 * 1024;
/** Logs that are read at one time. */
const AT_ONCE = 5;
/** Kinds that a reason names. */
const NAMED = 3;
/** Milliseconds: clocks of nodes differ, and a line may be written late. What is read twice is of a kind that is known. */
const OVERLAP_MS = 5_000;

/**
 * Kinds of errors in the logs of the stack's pods that were not there before the run. Before is what its evidence has; without
 * evidence on this machine, what the first look finds.
 */
export function logObserver(
  { ignore }: ObservedLogs,
  { run, endedAt }: { readonly run: string; readonly endedAt: string },
  deps: LogDeps,
): Observer {
  const patterns = ignore.map((pattern) => new RegExp(pattern, 'u'));
  const fresh = new Map<string, string>();
  let known: Set<string> | undefined;
  let from = endedAt;
  return async (signal) => {
    const startedAt = deps.clock.now();
    const options = { ignore: patterns, redact: await redactorFor(deps, signal) };
    const before = known ?? (await kindsInEvidence(run, options, deps));
    const { logs, cut } = await logsSince(from, deps, signal);
    const kinds = new Map(logs.flatMap((log) => [...errorKinds(log, options)]));
    if (before === undefined) {
      known = new Set(kinds.keys());
      from = new Date(startedAt - OVERLAP_MS).toISOString();
      return {
        verdict: 'pass',
        reason: `compared with the first look, for there is no evidence: ${amount(kinds.size)}`,
      };
    }
    known = before;
    for (const [kind, line] of kinds) if (!known.has(kind)) fresh.set(kind, line);
    for (const kind of fresh.keys()) known.add(kind);
    from = new Date(startedAt - OVERLAP_MS).toISOString();
    if (fresh.size === 0 && cut.length > 0)
      return { verdict: 'unknown', reason: `more than ${LOG_BYTES} bytes since the last look: ${cut.join(', ')}` };
    if (fresh.size === 0) return { verdict: 'pass', reason: 'no kind of error that was not there before' };
    const lines = [...fresh.values()];
    const more = lines.length > NAMED ? ` and ${lines.length - NAMED} more` : '';
    return { verdict: 'fail', reason: `new: ${lines.slice(0, NAMED).join(' | ')}${more}` };
  };
}

const amount = (kinds: number): string => `${kinds} ${kinds === 1 ? 'kind' : 'kinds'} of errors`;

/** What programs wrote is not kept before what is secret in the stack is known. @throws what reading Secrets throws */
async function redactorFor({ cluster, stack }: ClusterDeps, signal: AbortSignal): Promise<(line: string) => string> {
  const secrets = await readSecrets({ cluster: await cluster(), stack }, signal);
  const redactor = redactorOf(knownSecrets(secrets));
  return (line) => redactor(line).text;
}

async function kindsInEvidence(
  run: string,
  options: Parameters<typeof errorKinds>[1],
  { files, archive, stateDir }: LogDeps,
): Promise<Set<string> | undefined> {
  const bytes = await files.read(evidencePath(stateDir, run));
  if (bytes === undefined) return undefined;
  const logs = (await archive.unpack(bytes)).filter(({ path }) => path.startsWith('logs/'));
  return new Set(logs.flatMap(({ content }) => [...errorKinds(new TextDecoder().decode(content), options).keys()]));
}

interface ReadLogs {
  readonly logs: readonly string[];
  /** Pods that wrote more than is read at one look: what else they said is not known. */
  readonly cut: readonly string[];
}

async function logsSince(sinceTime: string, { cluster, stack }: ClusterDeps, signal: AbortSignal): Promise<ReadLogs> {
  const api = await cluster();
  const kind = await api.kindOf('v1', 'Pod');
  if (kind === undefined) return { logs: [], cut: [] };
  const lists = await Promise.all(
    stack.namespaces.map(async (namespace) => (await api.list(kind, { namespace, signal })).items),
  );
  const wanted = lists.flat().flatMap((pod) =>
    containersOf(pod)
      .filter(({ hasRun }) => hasRun)
      .map(({ name: container }) => ({ pod: pod.metadata.name, namespace: pod.metadata.namespace ?? '', container })),
  );
  const logs: string[] = [];
  const cut = new Set<string>();
  const queue = wanted.values();
  const worker = async (): Promise<void> => {
    for (const one of queue) {
      const log = await api.logs({ ...one, sinceTime, limitBytes: LOG_BYTES, signal }).catch((error: unknown) => {
        // The pod went away since it was listed.
        if (isBackstayError(error, 'OBJECT_REFUSED')) return '';
        throw error;
      });
      const wasCut = Buffer.byteLength(log) >= LOG_BYTES;
      if (wasCut) cut.add(one.pod);
      // Half a line may be half a secret, which nothing knows.
      logs.push(wasCut ? log.slice(0, log.lastIndexOf('\n') + 1) : log);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, wanted.length) }, worker));
  return { logs, cut: [...cut] };
}
