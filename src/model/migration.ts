import type { Digest } from './json.ts';

/** How a stack migrates the schema of a data store. */
export interface MigrationSetting {
  /**
   * `alembic`, `flyway`: those tools. `table`: a table of revisions (`schema_migrations`) and scripts that lead down. `command`:
   * the stack's own program, which answers `current`, `way` and `migrate`.
   */
  readonly tool: 'alembic' | 'flyway' | 'table' | 'command';
  /** On this machine, or inside a running pod of the failing version: only that knows the way down from its own schema. */
  readonly runs:
    | { readonly kind: 'local'; readonly folder: string }
    | {
        readonly kind: 'pod';
        /** `Deployment/intelgraph-server`. */
        readonly workload: string;
        readonly container?: string;
        readonly namespace?: string;
        readonly folder?: string;
      };
  /** Program and first arguments, instead of the tool's name. Never with a password in it. */
  readonly command?: readonly string[];
  /** Table of the revisions (`table`, `flyway`). @default the tool's own */
  readonly table?: string;
  /** Scripts that lead down, `NAME.down.sql`, where the tool has none of its own (`table`, `flyway`). */
  readonly undo?: string;
  /** Environment variable that takes the address of the database to the tool. @default DATABASE_URL */
  readonly urlVariable: string;
  /** What that address begins with, `postgresql+psycopg` for SQLAlchemy with psycopg 3. @default postgresql, and JDBC's for Flyway */
  readonly urlScheme?: string;
  /** Revisions whose way down must not be taken, whatever their scripts say. */
  readonly irreversible: readonly string[];
  /**
   * Older images that are known to work with a newer schema: with `revision` in the database these images may run. Of each
   * repository that is named, every image of the target has to match. Absent: none is known.
   */
  readonly compatible?: readonly { readonly revision: string; readonly images: readonly string[] }[];
}

/** What a database says of its own schema. */
export interface SchemaRevision {
  readonly store: string;
  readonly tool: MigrationSetting['tool'];
  /** Null: no migration was ever applied. With several heads, the first in order. */
  readonly revision: string | null;
  /** More than one: branches that were never merged, and no way down is taken. */
  readonly heads: readonly string[];
}

/** A revision that the scripts know, whether or not a database has it. */
export interface KnownRevision {
  readonly revision: string;
  readonly title: string;
  /** What comes right before it; empty for a first one, several for one that merges branches. */
  readonly after: readonly string[];
  readonly reversible: boolean;
  /** Whether the database that was asked has it. */
  readonly applied: boolean;
}

/** From one revision to another, one after the other as they will be taken. */
export interface MigrationWay {
  readonly from: string | null;
  /** Null: before the first. */
  readonly to: string | null;
  readonly direction: 'down' | 'up' | 'none';
  readonly steps: readonly {
    readonly revision: string;
    readonly title: string;
    /** False: marked so by its author or by the stack file; a plan refuses it. */
    readonly reversible: boolean;
    /** Of its script, where there is one to be read. */
    readonly script?: Digest;
  }[];
  /** Over the steps and, where they can be had, their statements: what was rehearsed is what is run. */
  readonly digest: Digest;
}

/** Tables and columns of a database, and how much is in them: what a way down would lose is told from two of these. */
export interface StoreShape {
  readonly tables: Readonly<
    Record<
      string,
      {
        readonly rows: number;
        readonly columns: Readonly<
          Record<
            string,
            {
              /** As the server writes it: `character varying(80)`. */
              readonly type: string;
              readonly nullable: boolean;
              /** Rows that have a value here. */
              readonly filled: number;
            }
          >
        >;
      }
    >
  >;
  /** Of the schema alone, rows left out; equal schemas have equal digests. */
  readonly schema: Digest;
}
