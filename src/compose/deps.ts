import type { ObserveDeps } from '../actions/observe/index.ts';
import type { PlanDeps } from '../actions/plan.ts';
import type { RequestDeps } from '../actions/request.ts';
import type { RollbackDeps } from '../actions/rollback.ts';
import type { Reporter } from '../ports/index.ts';
import type { Composition } from './stack.ts';

/** What planning needs: reads only, so neither lease nor engine is made. */
export async function planDepsOf(composition: Composition): Promise<PlanDeps> {
  // One after the other: what is wrong on this machine is told first, whatever the cluster would say.
  const hasher = await composition.hasher();
  const cluster = await composition.cluster();
  const { stack, store, clock } = composition;
  return {
    stack,
    cluster,
    store,
    hasher,
    clock,
    pastRuns: async () => await composition.journal(),
    dataStores: async () => await composition.dataStores(),
    migrations: async () => await composition.migrations(),
  };
}

/** What asking for a run needs; another process finds the engine. */
export async function requestDepsOf(composition: Composition): Promise<RequestDeps> {
  const [journal, lock, cluster] = await Promise.all([
    composition.journal(),
    composition.lock(),
    composition.cluster(),
  ]);
  const { stack, by, journalName, journalAddress, snapshotsAddress, store, clock } = composition;
  return {
    stack,
    by,
    journal,
    journalName,
    ...(journalAddress === undefined ? {} : { journalAddress }),
    ...(snapshotsAddress === undefined ? {} : { snapshotsAddress }),
    lock,
    databaseLock: async (name) => await composition.databaseLock(name),
    cluster,
    store,
    clock,
    // Its events are in the journal: whoever watches the run reads them there.
    reporter: { report: () => undefined },
  };
}

/** What watching a stack after a run needs. The cluster is connected when it is first asked: it may be away for a while. */
export async function observeDepsOf(composition: Composition): Promise<Omit<ObserveDeps, 'reporter'>> {
  const [http, journal, archive] = await Promise.all([
    composition.http(),
    composition.journal(),
    composition.archive(),
  ]);
  const { stack, clock, files, environment } = composition;
  const cluster = async () => await composition.cluster();
  const dataStores = async () => await composition.dataStores();
  return { stack, cluster, dataStores, http, clock, journal, files, archive, stateDir: environment.stateDir };
}

/** What a run needs: everything. */
export async function runDepsOf(composition: Composition, reporter: Reporter): Promise<RollbackDeps> {
  const [plan, request, http, engine, archive] = await Promise.all([
    planDepsOf(composition),
    requestDepsOf(composition),
    composition.http(),
    composition.engine(),
    composition.archive(),
  ]);
  const { exec, keys, files, environment } = composition;
  return {
    ...plan,
    ...request,
    reporter,
    engine,
    http,
    exec,
    keys,
    files,
    archive,
    dataStores: async () => await composition.dataStores(),
    stateDir: environment.stateDir,
  };
}
