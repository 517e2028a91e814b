import { dirname } from 'node:path';
import { runChecks } from '../checks/index.ts';
import { askTarget, restartWorkloads, runHook } from '../hooks/index.ts';
import type { FlagValue, Stack } from '../model/index.ts';
import type {
  Clock,
  Cluster,
  Engine,
  Exec,
  HttpClient,
  JournalStore,
  KeyReader,
  Lock,
  Reporter,
  SecretHasher,
  SnapshotStore,
} from '../ports/index.ts';
import type { RunDeps } from '../rollback/index.ts';

/** What every action that carries a run needs. compose.ts gives it. */
export interface RunActionDeps {
  readonly stack: Stack;
  readonly by: { readonly user: string; readonly host: string };
  readonly journal: JournalStore;
  readonly journalName: string;
  readonly lock: Lock;
  readonly cluster: Cluster;
  readonly engine: Engine;
  readonly store: SnapshotStore;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly http: HttpClient;
  readonly exec: Exec;
  readonly keys: KeyReader;
  readonly capture: RunDeps['capture'];
  readonly observe: RunDeps['observe'];
  /** The stack's flags as they are now. */
  readonly readFlags: () => Promise<readonly FlagValue[]>;
}

/** Gives the machine its hooks and checks, which live beside it and know nothing of runs. */
export function runDepsOf(deps: RunActionDeps): RunDeps {
  const { stack, cluster, http, exec, keys, clock } = deps;
  const namespace = stack.namespaces[0] ?? 'default';
  const baseDir = dirname(stack.file);
  return {
    ...deps,
    runHook: async (hook, request) =>
      await runHook(hook, { cluster, http, exec, keys, clock, namespace, baseDir, ...request }),
    runChecks: async ({ names, when, scope, onResult, signal }) => {
      const settings = stack.checks.filter(({ name }) => names.includes(name));
      const flags = settings.some(({ onlyIf }) => onlyIf !== undefined) ? await deps.readFlags() : [];
      const asked = scope === undefined ? {} : { scope };
      return await runChecks(settings, { cluster, http, clock, stack, when, flags, baseDir, signal, onResult, ...asked });
    },
    restart: async (request) => await restartWorkloads(cluster, { ...request, now: clock.now() }),
    ask: async (target, options) => await askTarget(target, options, { cluster, http, namespace }),
  };
}
