import type { PlanDeps } from '../actions/plan.ts';
import type { RollbackDeps } from '../actions/rollback.ts';
import type { Composition } from '../compose.ts';
import type { Reporter } from '../ports/index.ts';

/** What planning needs: reads only, so neither lease nor engine is made. */
export async function planDepsOf(composition: Composition): Promise<PlanDeps> {
  const [cluster, hasher] = await Promise.all([composition.cluster(), composition.hasher()]);
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

/** What a run needs: everything. */
export async function runDepsOf(composition: Composition, reporter: Reporter): Promise<RollbackDeps> {
  const [plan, http, journal, lock, engine, archive] = await Promise.all([
    planDepsOf(composition),
    composition.http(),
    composition.journal(),
    composition.lock(),
    composition.engine(),
    composition.archive(),
  ]);
  const { by, journalName, journalAddress, exec, keys, files, environment } = composition;
  return {
    ...plan,
    by,
    journal,
    journalName,
    ...(journalAddress === undefined ? {} : { journalAddress }),
    lock,
    databaseLock: async (name) => await composition.databaseLock(name),
    engine,
    reporter,
    http,
    exec,
    keys,
    files,
    archive,
    dataStores: async () => await composition.dataStores(),
    stateDir: environment.stateDir,
  };
}
