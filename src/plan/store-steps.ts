import { type Digest, describeMerge, type MergeReport, type Step, totalsOf } from '../model/index.ts';

/** A data store that the plan takes back: to which backup, and what has happened in it since. */
export interface PlannedRestore {
  readonly store: string;
  readonly backup: string;
  readonly digest: Digest;
  /** ISO 8601. */
  readonly takenAt: string;
  /** Rows by table, when the backup was taken. */
  readonly atBackup: Readonly<Record<string, number>>;
  /** What its schema has to be; absent: not asked. */
  readonly revision?: string | null;
  /** Only these tables, `schema.table`; the others stay as they are. */
  readonly tables?: readonly string[];
  /** What was written since the backup and is kept. Absent: nothing is, but in the former database. */
  readonly newRows?: MergeReport;
  /** Rows by table, as they were when the plan was made. */
  readonly now: Readonly<Record<string, number>>;
}

type PhaseStep = Omit<Step, 'phase'>;

function listed(tables: readonly string[] | undefined, then: string): string {
  return tables === undefined ? '' : `${tables.join(', ')}${then}`;
}

/** Beside the live data, which nobody sees: the proof that there is something to go to. */
export function restoringBeside(restores: readonly PlannedRestore[]): readonly PhaseStep[] {
  return restores.map(({ store, backup, digest, revision, tables }) => ({
    id: `db-restore:${store}`,
    title: `Restore ${listed(tables, ' of ')}backup ${backup} of ${store} beside the live data, and count its rows`,
    action: {
      kind: 'db-restore',
      store,
      backup,
      digest,
      ...(revision === undefined ? {} : { revision }),
      ...(tables === undefined ? {} : { tables }),
    },
    reverse: { kind: 'db-drop-beside', store },
    risk: 'low',
    destructive: false,
  }));
}

/** What was written since the backup, while nobody writes: otherwise it is no longer what was reported, and the step refuses. */
export function keepingNew(restores: readonly PlannedRestore[]): readonly PhaseStep[] {
  return restores.flatMap(({ store, newRows }): PhaseStep[] => {
    if (newRows === undefined) return [];
    const { fresh, changed } = totalsOf(newRows.tables);
    return [
      {
        id: `db-keep-new:${store}`,
        title: `Take ${fresh} new rows of ${store} over into what was restored, and set ${changed} changed ones aside`,
        action: { kind: 'db-keep-new', store, report: newRows.digest },
        reverse: { kind: 'db-drop-beside', store },
        risk: 'medium',
        destructive: false,
      },
    ];
  });
}

/** The exchange itself. What was live stays beside, closed, until the run is finalized. */
export function exchanging(restores: readonly PlannedRestore[]): readonly PhaseStep[] {
  return restores.map((restore) => {
    const loss = restore.newRows === undefined ? lossOf(restore) : lossBeside(restore.newRows, restore);
    return {
      id: `db-swap:${restore.store}`,
      title: `Exchange ${listed(restore.tables, ' in ')}${restore.store} for what was restored; the former data stays beside it`,
      action: { kind: 'db-swap', store: restore.store },
      reverse: { kind: 'db-unswap', store: restore.store },
      risk: 'high',
      destructive: true,
      ...(loss === undefined ? {} : { dataLoss: loss }),
    };
  });
}

/** Takes the exchanges of another run back. */
export function exchangingBack(run: string, stores: readonly string[]): readonly PhaseStep[] {
  return stores.map((store) => ({
    id: `db-unswap:${store}`,
    title: `Make the data of ${store} live again that run ${run} set aside; what is live now stays beside it`,
    action: { kind: 'db-unswap', store, run },
    risk: 'high',
    destructive: true,
    dataLoss: 'what was written since that run is only in the database set aside now, until the run is finalized',
  }));
}

/** What is no longer seen after the exchange although new rows are kept. */
function lossBeside(report: MergeReport, { takenAt }: PlannedRestore): string {
  const lines = describeMerge(report);
  const rest = `what else changed since ${takenAt} is only in the former database, until the run is finalized`;
  return [...lines, rest].join('; ');
}

/** What is no longer seen after the exchange, table by table; undefined when the counts are the same. */
export function lossOf({ atBackup, now, takenAt }: PlannedRestore): string | undefined {
  const tables = [...new Set([...Object.keys(atBackup), ...Object.keys(now)])].sort();
  const changed = tables.flatMap((table) => {
    const [before, after] = [atBackup[table], now[table]];
    if (before === after) return [];
    if (before === undefined) return [`${table} (${after ?? 0} rows) is not in the backup`];
    return [`${table}: ${after ?? 'no table'} now, ${before} then`];
  });
  const since = `what was written since ${takenAt} is only in the former database, until the run is finalized`;
  return changed.length === 0 ? `as many rows as now; ${since}` : `${changed.join('; ')}; ${since}`;
}
