import { dirname } from 'node:path';
import { runChecks } from '../checks/index.ts';
import { BackstayError } from '../errors/index.ts';
import { askTarget, resolveTarget, runHook } from '../hooks/index.ts';
import type { Plan, Stack } from '../model/index.ts';
import type { JournalAddress } from '../plan/index.ts';
import type {
  Archive,
  Clock,
  Cluster,
  DataStore,
  Engine,
  Exec,
  HttpClient,
  JournalStore,
  KeyReader,
  Lock,
  Migrations,
  PrivateFiles,
  Reporter,
  SecretHasher,
  SnapshotStore,
} from '../ports/index.ts';
import type { RunDeps } from '../rollback/index.ts';
import { capture } from './capture.ts';
import { collectEvidence, evidencePath } from './evidence.ts';
import { takeInventory } from './inventory.ts';
import { compareForReturn, observePlan } from './plan.ts';
import { defaulted } from './plan-defaulting.ts';

const NONE: ReadonlySet<string> = new Set();

/** What every action that carries a run needs. compose.ts gives it. */
export interface RunActionDeps {
  readonly stack: Stack;
  readonly by: { readonly user: string; readonly host: string };
  readonly journal: JournalStore;
  readonly journalName: string;
  /** Absent: the journal is a file of this machine. */
  readonly journalAddress?: JournalAddress;
  /** Absent: the snapshots are files of this machine. */
  readonly snapshotsAddress?: JournalAddress;
  readonly lock: Lock;
  /** In the server of a data store, for plans that leave the cluster unasked. */
  readonly databaseLock: (store: string) => Promise<Lock>;
  readonly cluster: Cluster;
  readonly engine: Engine;
  readonly store: SnapshotStore;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
  readonly dataStores: () => Promise<readonly DataStore[]>;
  /** Absent: none of them says how it is migrated. */
  readonly migrations?: () => Promise<readonly Migrations[]>;
  readonly reporter: Reporter;
  readonly http: HttpClient;
  readonly exec: Exec;
  readonly keys: KeyReader;
  readonly archive: Archive;
  readonly files: PrivateFiles;
  /** Absolute path; what a run leaves goes to `<stateDir>/runs/<run>/`. */
  readonly stateDir: string;
}

/** With the lease where the plan has it. */
export async function withLockOf<T extends Pick<RunActionDeps, 'lock' | 'databaseLock'>>(
  { options: { databaseLease } }: Plan,
  deps: T,
): Promise<T> {
  return databaseLease === undefined ? deps : { ...deps, lock: await deps.databaseLock(databaseLease) };
}

/** Gives the machine its hooks and checks, which live beside it and know nothing of runs. */
export function runDepsOf(deps: RunActionDeps): RunDeps {
  const { stack, cluster, http, exec, keys, clock } = deps;
  const namespace = stack.namespaces[0] ?? 'default';
  const baseDir = dirname(stack.file);
  const ask: RunDeps['ask'] = async (target, options) => await askTarget(target, options, { cluster, http, namespace });
  return {
    ...deps,
    capture: async ({ run: _run, ...request }) => {
      const result = await capture(request, deps);
      if (result.kind === 'captured') {
        const { id, sighting, warnings } = result;
        return { id, verdict: sighting.record.verdict, ...(warnings === undefined ? {} : { warnings }) };
      }
      throw new BackstayError('INTERNAL', `a capture of a run came back ${result.kind}`);
    },
    collectEvidence: async ({ run, plan, limits, signal }) =>
      await collectEvidence(
        { path: evidencePath(deps.stateDir, run), limits, run: { id: run, plan }, signal },
        { ...deps, ask },
      ),
    observe: async (plan) => await observePlan(plan, deps),
    compareWith: async (plan, snapshot, signal) => await compareForReturn(plan, snapshot, deps, signal),
    defaulted: async (objects, { live, foreign }) =>
      (await defaulted(cluster, { objects, live, foreign, namespaces: NONE, definedKinds: NONE })).objects,
    runHook: async (hook, request) =>
      await runHook(hook, { cluster, http, exec, keys, clock, namespace, baseDir, ...request }),
    runChecks: async ({ names, when, scope, onResult, signal }) => {
      const settings = stack.checks.filter(({ name }) => names.includes(name));
      const flags = settings.some(({ onlyIf }) => onlyIf !== undefined)
        ? (await takeInventory(cluster, stack, { signal })).flags
        : [];
      const asked = scope === undefined ? {} : { scope };
      return await runChecks(settings, {
        cluster,
        http,
        clock,
        stack,
        when,
        flags,
        baseDir,
        signal,
        onResult,
        ...asked,
      });
    },
    ask,
    find: async (target) => await resolveTarget(target, { cluster, http, namespace }),
  };
}
