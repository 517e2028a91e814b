import type { RunState } from '../journal/index.ts';
import type { Json } from '../model/index.ts';
import type { Drill } from './drills.ts';

/** A backup was restored, and was what had been written. Times are milliseconds since the epoch. */
export interface BackupProof {
  readonly stack: string;
  readonly store: string;
  /** When the backup was made; absent where its id does not tell. */
  readonly madeAt?: number;
  readonly provenAt: number;
}

/**
 * Of a run: what it backed up and restored as a proof, what it restored for a rehearsal, and what it restored beside live
 * data. Single tables prove nothing of the rest. Pure.
 */
export function proofsOfRun({ stack, steps }: RunState): readonly BackupProof[] {
  const done = [...steps.values()].filter(({ status }) => status === 'done');
  const taken = new Map<string, string>();
  return done.flatMap(({ step: { action }, result, endedAt = '' }): readonly BackupProof[] => {
    const proof = (store: string, id: string | undefined): readonly BackupProof[] => {
      const provenAt = Date.parse(endedAt);
      return id === undefined || Number.isNaN(provenAt) ? [] : [{ stack, store, ...madeAt(id), provenAt }];
    };
    if (action.kind === 'db-restore' && action.tables === undefined) return proof(action.store, action.backup);
    if (action.kind === 'migrate-rehearse') return proof(action.store, taken.get(action.store));
    if (action.kind !== 'db-backup') return [];
    const id = textIn(result, 'backup');
    if (id !== undefined) taken.set(action.store, id);
    return action.prove === 'restored' ? proof(action.store, id) : [];
  });
}

/** Of drills that proved what they were for. Pure. */
export function proofsOfDrills(drills: readonly Drill[]): readonly BackupProof[] {
  return drills.flatMap(({ stack, store, state, result }) => {
    const provenAt = state === 'proven' ? lastRestore(result) : undefined;
    return provenAt === undefined ? [] : [{ stack, store, ...madeAt(textIn(result, 'id') ?? ''), provenAt }];
  });
}

/** As `db verify` tells it: the proofs of the backup, the one of now the last. */
function lastRestore(result: Json | undefined): number | undefined {
  const { proofs } = (result ?? {}) as { readonly proofs?: readonly { readonly proof: string; readonly at: string }[] };
  const at = Date.parse(proofs?.findLast(({ proof }) => proof === 'restored')?.at ?? '');
  return Number.isNaN(at) ? undefined : at;
}

/** Ids of backups begin with the time, in UTC: `20260101-120000-3f9a2c`. */
function madeAt(id: string): Pick<BackupProof, 'madeAt'> {
  const found = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-/.exec(id);
  if (found === null) return {};
  const [, year, month, day, hour, minute, second] = found;
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(at) ? {} : { madeAt: at };
}

function textIn(value: Json | undefined, name: string): string | undefined {
  const found = (value ?? {}) as Readonly<Record<string, unknown>>;
  return typeof found[name] === 'string' ? found[name] : undefined;
}
