import { endUnapproved, endUnbegun } from '../../rollback/index.ts';
import type { RunProcesses, ServiceRecord } from '../../ports/index.ts';
import type { ServiceDeps } from '../deps.ts';
import type { Log } from '../log.ts';
import { cancelIn, CLAIM_MS, type Claim, claimIn, logPath, stepsDone, stored } from './claim.ts';
import { type Act, decideClaim, settled } from './decide.ts';
import type { FollowedRuns } from './followed.ts';
import { problemIn, problemOf } from './problem.ts';
import { crowdedBy, type Limits, type Sight } from './sight.ts';
import { sparedVariables } from './spared.ts';

export interface DispatcherOptions {
  readonly deps: Pick<
    ServiceDeps,
    'records' | 'journal' | 'journalName' | 'clock' | 'files' | 'by' | 'stateDir' | 'stack' | 'stackNames'
  > & { readonly processes: RunProcesses };
  /** Of this service: one life of one process. */
  readonly self: string;
  readonly limits: Limits;
  readonly runs: FollowedRuns;
  readonly log: Log;
  /** Called when something changed that no store tells of: the end of a process. */
  readonly wake: () => void;
}

interface Seen extends Sight {
  readonly record: ServiceRecord;
}

/** Looks at every claimed run and does what is decided; everything that lasts is in the records and the journal. */
export class Dispatcher {
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** One look at all of them. Resolves to when the next is due at the latest, in milliseconds; undefined: when something changes. */
  async look(): Promise<number | undefined> {
    for (;;) {
      const sights = await this.#sights();
      const decided = sights.map((sight) => ({ sight, act: this.#decide(sight, sights) }));
      const first = decided.find(({ act }) => act.kind !== 'leave');
      // What one act changes, the next decision sees: a look ends when nothing is to be done.
      if (first !== undefined) await this.#act(first.sight, first.act);
      else return earliest(decided.map(({ act }) => act));
    }
  }

  /** Whoever is next takes the claims without waiting for their time; the processes go on. */
  async leave(): Promise<void> {
    const { self } = this.#options;
    for (const record of await this.#options.deps.records.list('claim')) {
      const { owner, ...claim } = claimIn(record);
      if (owner?.service === self) await this.#put(record, claim);
    }
  }

  async #sights(): Promise<readonly Seen[]> {
    const { deps, runs } = this.#options;
    const records = await deps.records.list('claim');
    const stacks = records.length === 0 ? [] : await deps.stackNames();
    runs.keep(new Set(records.map(({ key }) => key)));
    return await Promise.all(records.map(async (record) => await this.#sight(record, stacks)));
  }

  async #sight(record: ServiceRecord, stacks: readonly string[]): Promise<Seen> {
    const { deps, runs } = this.#options;
    const claim = claimIn(record);
    const [state, cancel, process, owner] = await Promise.all([
      runs.stateOf(record.key),
      deps.records.get('cancel', record.key),
      claim.process === undefined ? ('none' as const) : deps.processes.find(claim.process),
      claim.owner?.process === undefined ? ('none' as const) : deps.processes.find(claim.owner.process),
    ]);
    const said = cancel === undefined ? {} : { cancel: cancelIn(cancel) };
    const here = { isOwnerGone: owner === 'gone', isUnknownHere: !stacks.includes(claim.stack) };
    return { run: record.key, record, claim, state, process, ...here, ...said };
  }

  #decide(sight: Sight, all: readonly Sight[]): Act {
    const { self, limits, deps } = this.#options;
    const now = deps.clock.now();
    return decideClaim(sight, { self, now, crowded: crowdedBy(sight, all, { self, limits, now }) });
  }

  async #act(sight: Seen, act: Act): Promise<void> {
    const { deps, runs, log } = this.#options;
    const { run, record, claim } = sight;
    switch (act.kind) {
      case 'leave':
        return;
      case 'forget':
        await deps.records.remove('claim', run, record.version);
        await deps.records.remove('cancel', run, 0);
        return;
      case 'claim':
        await this.#put(record, { ...claim, owner: await this.#owner() });
        return;
      case 'end-unapproved':
        await endUnapproved({ run, deps: { ...deps, reporter: SILENT } });
        runs.readAgain(run);
        return;
      case 'end': {
        const { kind: _kind, ...end } = act;
        await endUnbegun(run, end, deps);
        runs.readAgain(run);
        log({ level: 'info', event: 'run.ended-unbegun', run, outcome: end.outcome });
        return;
      }
      case 'stop': {
        const { process } = claim;
        if (process === undefined) return;
        await deps.processes.stop(process);
        await this.#put(record, { ...claim, process: { ...process, told: true } });
        log({ level: 'info', event: 'run.told-to-stop', run });
        return;
      }
      case 'settle':
        await this.#settle(sight);
        return;
      case 'start':
        await this.#start(sight);
    }
  }

  async #start({ run, record, claim, state }: Seen): Promise<void> {
    const { deps, log, wake } = this.#options;
    if (state === undefined) return;
    const now = deps.clock.now();
    try {
      const { mark, ended } = await deps.processes.start(run, {
        user: claim.by,
        log: logPath(deps.stateDir, run),
        without: sparedVariables(await deps.stack(claim.stack)),
      });
      void ended.then(wake);
      const process = { ...mark, since: state.sequence, done: stepsDone(state) };
      const { notBefore: _notBefore, ...rest } = claim;
      await this.#put(record, { ...rest, process });
      log({ level: 'info', event: 'run.process-started', run, pid: mark.pid });
    } catch (error) {
      const problem = problemOf(error);
      await this.#put(record, settled(claim, { problem, done: stepsDone(state), seen: true, now }));
      log({ level: 'warn', event: 'run.process-failed', run, code: problem.code });
    }
  }

  async #settle({ run, record, claim, state, process }: Seen): Promise<void> {
    const { deps, log } = this.#options;
    if (state === undefined) return;
    const said = process === 'gone' ? await deps.files.read(logPath(deps.stateDir, run)) : undefined;
    const problem = said === undefined ? undefined : problemIn(new TextDecoder().decode(said));
    const next = settled(claim, { problem, done: stepsDone(state), seen: process === 'gone', now: deps.clock.now() });
    await this.#put(record, next);
    log({
      level: next.stuck === true ? 'error' : 'warn',
      event: next.stuck === true ? 'run.stuck' : 'run.process-ended',
      run,
      code: problem?.code,
    });
  }

  async #owner(): Promise<NonNullable<Claim['owner']>> {
    const { self, deps } = this.#options;
    const until = new Date(deps.clock.now() + CLAIM_MS).toISOString();
    return { service: self, host: deps.by.host, process: await deps.processes.self(), until };
  }

  /** Where another service was first, the next look sees what it wrote. */
  async #put({ key, version }: ServiceRecord, claim: Claim): Promise<void> {
    await this.#options.deps.records.put('claim', key, version, stored(claim));
  }
}

function earliest(acts: readonly Act[]): number | undefined {
  const times = acts.flatMap((act) => (act.kind === 'leave' && act.until !== undefined ? [act.until] : []));
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Whoever watches the run reads its events in the journal. */
const SILENT = { report: () => undefined };
