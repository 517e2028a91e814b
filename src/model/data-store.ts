import type { Digest } from './json.ts';
import type { MigrationSetting, SchemaRevision } from './migration.ts';
import type { ArchiveSetting, PointInTimeSource } from './point-in-time.ts';
import type { KeySource, ObjectPattern } from './stack.ts';

/** A database of the stack, as its file names it under `backstay:stores`. Their order there is the order of a restore. */
export type DataStoreSetting = PostgresStoreSetting | RedisStoreSetting | Neo4jStoreSetting | SqlServerStoreSetting;
export type StoreKind = DataStoreSetting['kind'];

interface StoreSetting {
  /** Lower-case letters, digits and `-`; what people type. */
  readonly name: string;
  /** What is told of its contents: tables (`documents`, `audit.events`), labels, key prefixes; empty: all. Everything is counted anyhow. */
  readonly tables: readonly string[];
  /** Workloads that write to it: scaled to zero, and proven gone, before its data is exchanged. */
  readonly writers: readonly ObjectPattern[];
  /** Users or applications whose sessions may stay while writers are gone (`*` only): monitoring, a pool that is empty. */
  readonly readers?: readonly string[];
}

export interface PostgresStoreSetting extends StoreSetting {
  readonly kind: 'postgres';
  readonly connection: PostgresConnection;
  /** Absent: the schema's revision is not known, and never migrated. */
  readonly migrations?: MigrationSetting;
  /** Absent: it can be taken back to its backups alone, and to no moment between them. */
  readonly archive?: ArchiveSetting;
}

export interface RedisStoreSetting extends StoreSetting {
  readonly kind: 'redis';
  readonly connection: ServerConnection & {
    /** Index of the logical database. @default 0 */
    readonly database: number;
    /** Index of one that nobody uses: what is restored stands there until the exchange. @default 15 */
    readonly spare: number;
    readonly tls?: boolean;
  };
}

export interface Neo4jStoreSetting extends StoreSetting {
  readonly kind: 'neo4j';
  /** `database` is the name that it had before anything was exchanged: `neo4j` unless it was chosen otherwise. */
  readonly connection: ServerConnection & { readonly database: string; readonly tls?: boolean };
  /** How it is stopped and started, and where its data is. Absent: it is looked at, and never backed up nor taken back. */
  readonly server?: Neo4jServer;
  /** Programs of Neo4j's own on this machine, as many words each as are needed. Absent: those on PATH, else fetched. */
  readonly tools?: { readonly admin: readonly string[]; readonly console: readonly string[] };
  /** How long one call of a program, one stop or one start may take, in milliseconds. */
  readonly limitMs: number;
}

/** Neo4j Community dumps a database only while nobody serves it. */
export type Neo4jServer =
  | {
      readonly kind: 'local';
      /** NEO4J_HOME. */
      readonly home: string;
      /** Folder of neo4j.conf. @default conf in its home */
      readonly conf?: string;
      /** Programs and arguments. Each comes back when it is done. */
      readonly stop: readonly string[];
      readonly start: readonly string[];
    }
  | {
      readonly kind: 'workload';
      /** Scaled to zero and back. */
      readonly workload: { readonly kind: 'StatefulSet' | 'Deployment'; readonly name: string };
      readonly namespace?: string;
      /** Container of the server. @default the first */
      readonly container?: string;
      /** Where its data volume is mounted. @default /data */
      readonly mount: string;
      /** By a Job that mounts its volume, even where that is a folder of this machine. @default only where it is none */
      readonly files?: 'pod';
    };

/** Spoken to by `sqlcmd` alone. */
export interface SqlServerStoreSetting extends StoreSetting {
  readonly kind: 'sqlserver';
  readonly connection: ServerConnection & { readonly database: string };
}

/** Where a server is and as whom it is asked. */
export interface ServerConnection {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: PasswordSource;
  /** Reached through the API server to a Service of the cluster, instead of `host` and `port`. */
  readonly via?: ServiceRoute;
}

export interface ServiceRoute {
  readonly service: string;
  readonly port: number | string;
  readonly namespace?: string;
}

/** As libpq names these things; what is absent comes from its environment, its service file and its defaults. */
export interface PostgresConnection extends ServerConnection {
  readonly database: string;
  /** Section of libpq's connection service file: what it says holds where the stack file says nothing. */
  readonly service?: string;
  readonly sslmode?: 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
  /** Path of the certificates that are trusted. */
  readonly sslrootcert?: string;
}

/** From where any key may come, or a key of a Secret in the cluster. */
export type PasswordSource = KeySource | { readonly secret: string; readonly key: string; readonly namespace?: string };

/**
 * How far a backup was proven, each level including those before it. `listed`: its table of contents can be read, which
 * a cut-off file passes. `read`: every byte was read and is the one that was written. `restored`: it was restored beside
 * the live data, and counts equal those of the moment it was taken. `promoted`: it has been the live data.
 */
export const PROOFS = ['listed', 'read', 'restored', 'promoted'] as const;
export type Proof = (typeof PROOFS)[number];

/** What a backup is and what was in it. Written once, after the backup itself, so that a cut-off one has none. */
export interface BackupManifest {
  readonly apiVersion: 'backstay.dev/v1';
  readonly kind: 'BackupManifest';
  /** `20260101-120000-3f9a2c`, as runs are named. */
  readonly id: string;
  readonly stack: string;
  readonly store: string;
  /** Absent: `postgres`, as the first of them were. */
  readonly engine?: StoreKind;
  /** ISO 8601: when its snapshot was taken. */
  readonly takenAt: string;
  readonly durationMs: number;
  readonly database: string;
  readonly server: {
    /** `15.18`. */
    readonly version: string;
    /** Of this one cluster, since its initdb; what other engines have for it. */
    readonly systemIdentifier: string;
    /** Write-ahead log position of the snapshot, or a little after. PostgreSQL alone. */
    readonly lsn?: string;
  };
  /** `pg_dump (PostgreSQL) 15.18`. */
  readonly tool: string;
  /** Of a folder (`files`): the sum of its files, and the digest of their list. */
  readonly file: { readonly name: string; readonly bytes: number; readonly digest: Digest };
  /** What is in the folder that `file` names, by path within it, sorted. Absent: it is one file. */
  readonly files?: readonly BackupFile[];
  /** Rows by `schema.table`, nodes by label, keys by database: counted in the snapshot that was dumped. */
  readonly rows: Readonly<Record<string, number>>;
  /** What the tables held in the snapshot that was dumped; absent in manifests that only counted. PostgreSQL alone. */
  readonly contents?: Readonly<Record<string, TableContents>>;
  /** Of single tables, `schema.table`: a restore exchanges their rows and nothing else. Absent: of everything. */
  readonly tables?: readonly string[];
  /** What a dump does not carry (see DatabaseState). PostgreSQL alone. */
  readonly state?: DatabaseState;
  /** What its data takes in the memory of a server. Redis alone. */
  readonly memoryBytes?: number;
  /** Common to the backups of several stores that were taken together, while nobody wrote. */
  readonly marker?: string;
  /** Revision of its schema right before it was taken; absent where nobody could tell. */
  readonly schema?: SchemaRevision;
  /** Absent: it was taken from the live database. `takenAt` is then the moment that it holds. PostgreSQL alone. */
  readonly source?: PointInTimeSource;
}

export interface BackupFile {
  readonly name: string;
  readonly bytes: number;
  readonly digest: Digest;
}

/** Digest of what a table holds, whatever the order of its rows; of a sample by its key where it is large. */
export interface TableContents {
  readonly digest: Digest;
  readonly sampled: boolean;
}

/** What belongs to a database and is not within it: a dump leaves it out, and a swap has to carry it over. */
export interface DatabaseState {
  readonly owner: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly comment: string | null;
  readonly connectionLimit: number;
  /** Grants as `aclitem` texts; null: the default ones. */
  readonly acl: readonly string[] | null;
  /** `ALTER DATABASE … SET`, and by role `ALTER ROLE … IN DATABASE … SET`; `name=value` each. */
  readonly settings: readonly { readonly role: string | null; readonly values: readonly string[] }[];
}

export interface ProofRecord {
  readonly proof: Proof;
  /** ISO 8601. */
  readonly at: string;
  readonly durationMs: number;
  /** What was seen, in one line. */
  readonly message: string;
}

export interface Backup {
  readonly manifest: BackupManifest;
  /** Absolute path of its folder. */
  readonly folder: string;
  readonly proofs: readonly ProofRecord[];
}

export function provenTo(backup: Pick<Backup, 'proofs'>): Proof | undefined {
  return [...PROOFS].reverse().find((proof) => backup.proofs.some((record) => record.proof === proof));
}

/** Whether a backup was proven at least so far. A destructive step demands `restored`. */
export function isProven(backup: Pick<Backup, 'proofs'>, wanted: Proof): boolean {
  const reached = provenTo(backup);
  return reached !== undefined && PROOFS.indexOf(reached) >= PROOFS.indexOf(wanted);
}

const TOGETHER = 'set-';

/** What backups have in common that a run took together, while nobody wrote: a marker of another form says less. */
export function markerOf(run: string): string {
  return run.startsWith(TOGETHER) ? run : `${TOGETHER}${run}`;
}

export function isTakenTogether({ marker }: Pick<BackupManifest, 'marker'>): boolean {
  return marker?.startsWith(TOGETHER) === true;
}
