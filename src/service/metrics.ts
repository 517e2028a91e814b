import { listSnapshots } from '../actions/snapshots.ts';
import { isBackstayError } from '../errors/index.ts';
import { figureOf, fold, type RunFigure } from '../journal/index.ts';
import type { Proposal, Schedule } from '../model/index.ts';
import { type BackupProof, proofsOfDrills, proofsOfRun } from './backup-proofs.ts';
import type { ServiceDeps } from './deps.ts';
import { listDrills } from './drills.ts';
import { standingOf } from '../rollback/index.ts';
import { deliveries, type DeliveryView } from './notify/deliveries.ts';
import { type ScheduleView, scheduleViews } from './schedules/records.ts';

/** What Prometheus is told, from the journal and the records: runs of the command line count as well, and nothing is lost by a restart. */
export interface Measured {
  readonly runs: readonly (RunFigure & { readonly run: string })[];
  /** Runs whose journal cannot be read. */
  readonly damaged: number;
  readonly approvals: ReadonlyMap<string, number>;
  readonly stacks: readonly MeasuredStack[];
  readonly schedules: readonly MeasuredSchedule[];
  readonly stores: readonly MeasuredStore[];
  readonly openProposals: ReadonlyMap<string, number>;
  /** Notices by channel: still owed, and never delivered. */
  readonly undelivered: ReadonlyMap<string, number>;
  readonly lost: ReadonlyMap<string, number>;
}

export interface MeasuredStack {
  readonly stack: string;
  /** Seconds since the epoch. */
  readonly snapshotAt?: number;
  readonly knownGoodAt?: number;
  readonly held: number;
}

/** A data store that a stack file declares. */
export interface MeasuredStore {
  readonly stack: string;
  readonly store: string;
  readonly kind: string;
  /** Seconds since the epoch: when a backup of it was last restored as a proof, by a drill or a run. */
  readonly provenAt?: number;
  /** When the newest backup was made that was proven so. */
  readonly newestAt?: number;
}

export interface MeasuredSchedule {
  readonly stack: string;
  readonly schedule: string;
  readonly do: Schedule['do'];
  readonly everySeconds: number;
  /** Seconds since the epoch; absent: no service has seen it yet. */
  readonly seenAt?: number;
  readonly succeededAt?: number;
}

type Deps = Pick<
  ServiceDeps,
  'journal' | 'records' | 'clock' | 'by' | 'stackNames' | 'stack' | 'withStack' | 'files' | 'processes' | 'stateDir'
>;

interface Told {
  readonly figure: RunFigure;
  readonly proofs: readonly BackupProof[];
}

/** Remembers runs that are over for good: a scrape reads only what may have changed. */
export class Meter {
  readonly #over = new Map<string, Told>();
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async measure(): Promise<Measured> {
    const { records } = this.#deps;
    const [runs, stacks, schedules, proposals, notices] = await Promise.all([
      this.#runs(),
      this.#stacks(),
      this.#schedules(),
      records.list('proposal'),
      deliveries(records),
    ]);
    const { proofs, ...counts } = runs;
    return {
      ...counts,
      stacks,
      schedules,
      stores: await this.#stores(proofs),
      openProposals: counted(
        proposals
          .map(({ value }) => value as unknown as Pick<Proposal, 'stack' | 'state'>)
          .filter(({ state }) => state === 'open')
          .map(({ stack }) => stack),
      ),
      undelivered: counted(channelsOf(notices, ['due', 'sending'])),
      lost: counted(channelsOf(notices, ['refused', 'given-up'])),
    };
  }

  async #runs(): Promise<Pick<Measured, 'runs' | 'damaged' | 'approvals'> & Pick<Told, 'proofs'>> {
    const { journal, clock } = this.#deps;
    const found: (RunFigure & { readonly run: string })[] = [];
    const waiting: string[] = [];
    const proofs: BackupProof[] = [];
    let damaged = 0;
    for (const { run } of await journal.runs()) {
      const over = this.#over.get(run);
      if (over !== undefined) {
        found.push({ run, ...over.figure });
        proofs.push(...over.proofs);
        continue;
      }
      try {
        const state = fold(await journal.read(run));
        const told: Told = { figure: figureOf(state), proofs: proofsOfRun(state) };
        const { figure } = told;
        // One that ended mixed may yet go on.
        if (figure.outcome !== 'unfinished' && figure.outcome !== 'mixed') this.#over.set(run, told);
        if (state.ended === undefined && standingOf(state, clock.now()).kind === 'waiting') waiting.push(state.stack);
        found.push({ run, ...figure });
        proofs.push(...told.proofs);
      } catch (error) {
        if (!isBackstayError(error, 'JOURNAL_BROKEN')) throw error;
        damaged += 1;
      }
    }
    return { runs: found, damaged, approvals: counted(waiting), proofs };
  }

  async #stacks(): Promise<readonly MeasuredStack[]> {
    const names = await this.#deps.stackNames();
    return (await Promise.all(names.map(async (name) => await this.#stack(name)))).flat();
  }

  /** Of the stack files as they are now. */
  async #schedules(): Promise<readonly MeasuredSchedule[]> {
    const { stackNames, stack, records } = this.#deps;
    const of = async (name: string): Promise<readonly MeasuredSchedule[]> => {
      try {
        const views = await scheduleViews(await stack(name), { records, now: this.#deps.clock.now() });
        return views.map((view) => measuredOf(name, view));
      } catch (error) {
        if (!isBackstayError(error)) throw error;
        return [];
      }
    };
    return (await Promise.all((await stackNames()).map(of))).flat();
  }

  /** Of the stack files as they are now: of a store that nobody declares any more there is nothing to prove. */
  async #stores(ofRuns: readonly BackupProof[]): Promise<readonly MeasuredStore[]> {
    const { stackNames, stack } = this.#deps;
    const of = async (name: string): Promise<readonly MeasuredStore[]> => {
      try {
        const { stores } = await stack(name);
        if (stores.length === 0) return [];
        const proofs = [...ofRuns, ...proofsOfDrills(await listDrills(name, this.#deps))];
        return stores.map(({ name: store, kind }) => storeOf({ stack: name, store, kind }, proofs));
      } catch (error) {
        if (!isBackstayError(error)) throw error;
        return [];
      }
    };
    return (await Promise.all((await stackNames()).map(of))).flat();
  }

  /** None for a stack that cannot be read: a number that is not known is no number. */
  async #stack(stack: string): Promise<readonly MeasuredStack[]> {
    const { withStack, by } = this.#deps;
    try {
      const { rows } = await withStack(stack, by, async ({ store }) => await listSnapshots(stack, { store }));
      const good = rows.find(({ knownGood }) => knownGood);
      return [
        {
          stack,
          ...(rows[0] === undefined ? {} : { snapshotAt: Date.parse(rows[0].capturedAt) / 1000 }),
          ...(good === undefined ? {} : { knownGoodAt: Date.parse(good.capturedAt) / 1000 }),
          held: new Set(rows.filter(({ held }) => held !== undefined).map(({ id }) => id)).size,
        },
      ];
    } catch (error) {
      if (!isBackstayError(error)) throw error;
      return [];
    }
  }
}

function measuredOf(stack: string, { name, do: deed, everyMs, seenAt, succeededAt }: ScheduleView): MeasuredSchedule {
  return {
    stack,
    schedule: name,
    do: deed,
    everySeconds: everyMs / 1000,
    ...(seenAt === undefined ? {} : { seenAt: Date.parse(seenAt) / 1000 }),
    ...(succeededAt === undefined ? {} : { succeededAt: Date.parse(succeededAt) / 1000 }),
  };
}

function storeOf(
  named: Pick<MeasuredStore, 'stack' | 'store' | 'kind'>,
  proofs: readonly BackupProof[],
): MeasuredStore {
  const own = proofs.filter(({ stack, store }) => stack === named.stack && store === named.store);
  const newest = Math.max(...own.flatMap(({ madeAt }) => madeAt ?? []));
  return {
    ...named,
    ...(own.length === 0 ? {} : { provenAt: Math.max(...own.map(({ provenAt }) => provenAt)) / 1000 }),
    ...(newest === -Infinity ? {} : { newestAt: newest / 1000 }),
  };
}

function counted(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function channelsOf(notices: readonly DeliveryView[], states: readonly DeliveryView['state'][]): readonly string[] {
  return notices.filter(({ state }) => states.includes(state)).map(({ channel }) => channel);
}
