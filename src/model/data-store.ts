import type { Digest } from './json.ts';
import type { KeySource } from './stack.ts';

/** A database of the stack, as its file names it under `backstay:stores`. */
export interface DataStoreSetting {
  /** Lower-case letters, digits and `-`; what people type. */
  readonly name: string;
  readonly kind: 'postgres';
  readonly connection: PostgresConnection;
  /** Tables whose rows are told (`documents`, `audit.events`); empty: every table. All of them are counted anyhow. */
  readonly tables: readonly string[];
}

/** As libpq names these things; what is absent comes from its environment, its service file and its defaults. */
export interface PostgresConnection {
  /** Name, address, or the folder of a Unix socket. */
  readonly host?: string;
  readonly port?: number;
  readonly database: string;
  readonly user?: string;
  readonly password?: PasswordSource;
  /** Reached through the API server to a Service of the cluster, instead of `host` and `port`. */
  readonly via?: { readonly service: string; readonly port: number | string; readonly namespace?: string };
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
  /** ISO 8601: when its snapshot was taken. */
  readonly takenAt: string;
  readonly durationMs: number;
  readonly database: string;
  readonly server: {
    /** `15.18`. */
    readonly version: string;
    /** Of this one cluster, since its initdb. */
    readonly systemIdentifier: string;
    /** Write-ahead log position of the snapshot, or a little after. */
    readonly lsn: string;
  };
  /** `pg_dump (PostgreSQL) 15.18`. */
  readonly tool: string;
  readonly file: { readonly name: string; readonly bytes: number; readonly digest: Digest };
  /** Rows by `schema.table`, counted in the snapshot that was dumped. */
  readonly rows: Readonly<Record<string, number>>;
  /** What a dump does not carry (see DatabaseState). */
  readonly state: DatabaseState;
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
