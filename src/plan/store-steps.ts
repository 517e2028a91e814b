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
  /** Over the live data, instead of beside it; how far the backup of now is proven before, and what tables stay. */
  readonly inPlace?: { readonly wayBack: 'read' | 'restored'; readonly stays: readonly string[] };
  /** Rows by table, as they were when the plan was made. */
  readonly now: Readonly<Record<string, number>>;
}

type PhaseStep = Omit<Step, 'phase'>;

function listed(tables: readonly string[] | undefined, then: string): string {
  return tables === undefined ? '' : `${tables.join(', ')}${then}`;
}

function beside(restores: readonly PlannedRestore[]): readonly PlannedRestore[] {
  return restores.filter(({ inPlace }) => inPlace === undefined);
}

/** While nobody writes: what is live then is only in these backups afterwards. */
export function backingUpBeforeInPlace(restores: readonly PlannedRestore[]): readonly PhaseStep[] {
  return restores.flatMap(({ store, inPlace }): PhaseStep[] =>
    inPlace === undefined
      ? []
      : [
          {
            id: `db-backup:${store}`,
            title: `Back ${store} up as it is now, and ${inPlace.wayBack === 'read' ? 'read the backup again' : 'prove that by a restore beside'}: there is no other way back`,
            action: { kind: 'db-backup', store, prove: inPlace.wayBack },
            risk: 'none',
            destructive: false,
          },
        ],
  );
}

/** Over the live data, which nothing keeps but the backup of right before. */
export function restoringInPlace(restores: readonly PlannedRestore[]): readonly PhaseStep[] {
  return restores.flatMap(({ inPlace, ...restore }): PhaseStep[] => {
    if (inPlace === undefined) return [];
    const { store, backup, digest, takenAt } = restore;
    const stays = inPlace.stays.map((table) => `${table} is not in the backup, and stays as it is`);
    return [
      {
        id: `db-restore-in-place:${store}`,
        title: `Restore backup ${backup} over the live data of ${store}, in one transaction`,
        action: { kind: 'db-restore-in-place', store, backup, digest, wayBack: inPlace.wayBack },
        reverse: { kind: 'db-unswap', store },
        risk: 'high',
        destructive: true,
        dataLoss: [
          ...changesOf(restore),
          ...stays,
          `what was written since ${takenAt} is only in the backup that this run takes before`,
          'nobody reads or writes while it is restored',
        ].join('; '),
      },
    ];
  });
}

/** Beside the live data, which nobody sees: the proof that there is something to go to. */
export function restoringBeside(restores: readonly PlannedRestore[]): readonly PhaseStep[] {
  return beside(restores).map(({ store, backup, digest, revision, tables }) => ({
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
  return beside(restores).map((restore) => {
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
export function lossOf(restore: PlannedRestore): string | undefined {
  const changed = changesOf(restore);
  const since = `what was written since ${restore.takenAt} is only in the former database, until the run is finalized`;
  return changed.length === 0 ? `as many rows as now; ${since}` : `${changed.join('; ')}; ${since}`;
}

function changesOf({ atBackup, now }: PlannedRestore): readonly string[] {
  const tables = [...new Set([...Object.keys(atBackup), ...Object.keys(now)])].sort();
  return tables.flatMap((table) => {
    const [before, after] = [atBackup[table], now[table]];
    if (before === after) return [];
    if (before === undefined) return [`${table} (${after ?? 0} rows) is not in the backup`];
    return [`${table}: ${after ?? 'no table'} now, ${before} then`];
  });
}
