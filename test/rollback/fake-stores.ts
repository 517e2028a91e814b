import { BackstayError } from '../../src/errors/index.ts';
import {
  type Backup,
  type BackupManifest,
  digestOf,
  type MigrationWay,
  type SchemaRevision,
  type StoreShape,
} from '../../src/model/index.ts';
import type { BackupOptions, DataStore, Migrations, SwapState } from '../../src/ports/index.ts';

/** A database as tests script it: revisions from `a1` up to `c3`, a column that came with each, and rows in them. */
export interface FakeServer {
  /** Index into REVISIONS by name of the database; `main` is the live one. */
  readonly databases: Map<string, FakeDatabase>;
  readonly backups: Backup[];
  readonly acts: string[];
  readonly store: DataStore;
  readonly migrations: Migrations;
  /** Asked before each step of a way; throws to make it fail. */
  onStep: (database: string, revision: string) => void;
}

export interface FakeDatabase {
  at: number;
  /** Rows with a value in the column of each revision; what was dropped is 0 when it comes back. */
  readonly filled: Record<string, number>;
}

export const REVISIONS = ['a1', 'b2', 'c3'] as const;
const LIVE = 'main';

export function fakeServer(options: { readonly filled?: Readonly<Record<string, number>> } = {}): FakeServer {
  const { filled = {} } = options;
  const databases = new Map<string, FakeDatabase>([[LIVE, { at: 2, filled: { a1: 3, b2: 0, c3: 0, ...filled } }]]);
  const backups: Backup[] = [];
  const contents = new Map<string, FakeDatabase>();
  const acts: string[] = [];
  const kept = new Map<string, SwapState>();
  const of = (name: string): FakeDatabase => {
    const found = databases.get(name);
    if (found === undefined) throw new BackstayError('STORE_FAILED', `there is no database ${name}`);
    return found;
  };
  const copy = ({ at, filled: values }: FakeDatabase): FakeDatabase => ({ at, filled: { ...values } });
  const revisionOf = (name: string): SchemaRevision => {
    const revision = REVISIONS[of(name).at] ?? null;
    return { store: LIVE, tool: 'alembic', revision, heads: revision === null ? [] : [revision] };
  };
  const server: FakeServer = {
    databases,
    backups,
    acts,
    onStep: () => undefined,
    store: {
      setting: { kind: 'postgres', name: LIVE, tables: [], writers: [], connection: { database: LIVE } },
      backups: async () => [...backups],
      find: async (id: string) => {
        const found = backups.find(({ manifest }) => manifest.id === id);
        if (found === undefined) throw new BackstayError('BACKUP_UNKNOWN', `no backup ${id}`);
        return found;
      },
      backup: async ({ marker, schema }: BackupOptions = {}) => {
        const id = `backup-${backups.length + 1}`;
        acts.push(`backup ${id}`);
        contents.set(id, copy(of(LIVE)));
        const backup = {
          folder: '/nowhere',
          proofs: [],
          manifest: {
            id,
            store: LIVE,
            rows: {},
            takenAt: '2026-01-01T00:00:00.000Z',
            file: { name: 'f', bytes: 7, digest: digestOf(id) },
            ...(marker === undefined ? {} : { marker }),
            ...(schema === undefined ? {} : { schema }),
          } as unknown as BackupManifest,
        };
        backups.unshift(backup);
        return backup;
      },
      prove: async (backup: Backup, wanted: 'read' | 'restored') => record(backup, wanted),
      restoreBeside: async (backup: Backup, run: string) => {
        const database = `${LIVE}__${run}`;
        acts.push(`restore ${backup.manifest.id} as ${database}`);
        const content = contents.get(backup.manifest.id);
        if (content === undefined) throw new BackstayError('BACKUP_DAMAGED', 'it is gone');
        databases.set(database, copy(content));
        kept.set(run, 'before');
        const proven = record(backup, 'restored');
        return { backup: proven, database, rows: {}, proof: proven.proofs.at(-1)! };
      },
      swap: async (run: string) => {
        acts.push(`swap ${run}`);
        const [live, beside] = [of(LIVE), of(`${LIVE}__${run}`)];
        databases.set(LIVE, beside);
        databases.delete(`${LIVE}__${run}`);
        databases.set(`${LIVE}__${run}_prev`, live);
        kept.set(run, 'swapped');
        return { kept: `${LIVE}__${run}_prev`, unavailableMs: 1 };
      },
      stateOf: async (run: string) => kept.get(run) ?? 'nothing',
      finalize: async (run: string) => {
        const gone = [`${LIVE}__${run}`, `${LIVE}__${run}_prev`].filter((name) => databases.delete(name));
        if (gone.length > 0) acts.push(`drop ${gone.join(', ')}`);
        kept.delete(run);
        return gone;
      },
      shape: async (name = LIVE) => shapeOf(of(name)),
    } as unknown as DataStore,
    migrations: {
      store: LIVE,
      setting: { tool: 'alembic', runs: { kind: 'local', folder: '/m' }, urlVariable: 'URL', irreversible: [] },
      current: async ({ database = LIVE } = {}) => revisionOf(database),
      known: async () => [],
      wayTo: async (revision, { database = LIVE } = {}) => wayBetween(of(database).at, indexOf(revision)),
      migrate: async (way, { database = LIVE } = {}) => {
        const to = indexOf(way.to);
        const it = of(database);
        while (it.at !== to) {
          const next = it.at > to ? it.at - 1 : it.at + 1;
          const step = REVISIONS[Math.max(next, it.at)] ?? '';
          server.onStep(database, step);
          acts.push(`migrate ${database} ${it.at > to ? 'down' : 'up'} ${step}`);
          // A column that comes back comes back empty.
          it.filled[step] = 0;
          it.at = next;
        }
        return { revision: revisionOf(database), output: 'did it', durationMs: 5 };
      },
    },
  };
  const record = (backup: Backup, proof: 'read' | 'restored'): Backup => {
    const at = backups.findIndex(({ manifest }) => manifest.id === backup.manifest.id);
    const known = backups[at] ?? backup;
    const proven = { ...known, proofs: [...known.proofs, { proof, at: '', durationMs: 1, message: proof }] };
    backups[at] = proven;
    return proven;
  };
  return server;
}

export function wayBetween(from: number, to: number): MigrationWay {
  const down = from > to;
  const steps = down ? REVISIONS.slice(to + 1, from + 1).toReversed() : REVISIONS.slice(from + 1, to + 1);
  return {
    from: REVISIONS[from] ?? null,
    to: REVISIONS[to] ?? null,
    direction: from === to ? 'none' : down ? 'down' : 'up',
    steps: steps.map((revision) => ({ revision, title: revision, reversible: true })),
    digest: digestOf({ from, to }),
  };
}

function indexOf(revision: string | null): number {
  return REVISIONS.findIndex((one) => one === revision);
}

function shapeOf({ at, filled }: FakeDatabase): StoreShape {
  const there = REVISIONS.slice(0, at + 1);
  const columns = Object.fromEntries(
    there.map((revision) => [revision, { type: 'text', nullable: true, filled: filled[revision] ?? 0 }]),
  );
  return { tables: { pages: { rows: 10, columns } }, schema: digestOf(there) };
}
