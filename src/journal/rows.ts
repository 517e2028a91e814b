import { BackstayError } from '../errors/index.ts';
import type { Digest, Json } from '../model/index.ts';
import type { JournalEntry } from './entry.ts';
import { type Head, proven } from './stored.ts';

/** A row as a database gives it back. The stores that are databases name their columns alike. */
export type Row = Readonly<Record<string, unknown>>;

export interface RunRows {
  readonly run: string;
  /** For people: the file, or the database. */
  readonly where: string;
  /** Columns `is_head`, `sequence` and `text`: its head first, whose text is the link, then the entries by their numbers. */
  readonly rows: readonly Row[];
  /** What was proven before: the entries begin behind it. */
  readonly after?: Head | undefined;
}

/** The entries of a run, proven. @throws as `proven` */
export function entriesInRows({ run, where, rows, after }: RunRows): readonly JournalEntry[] {
  const stored = rows.map((row) => ({ sequence: Number(row['sequence']), text: String(row['text']) }));
  const [top] = stored;
  // Not every database knows truth from one.
  const hasHead = top !== undefined && Number(rows[0]?.['is_head']) === 1;
  const head = hasHead ? { sequence: top.sequence, link: top.text as Digest } : undefined;
  const texts = hasHead ? stored.slice(1) : stored;
  return proven({ run, where, texts, head, ...(after === undefined ? {} : { after }) });
}

export interface RunRow {
  readonly run: string;
  readonly stack: string;
  readonly startedAt: string;
}

/** Of columns `run`, `stack` and `started_at`. */
export function runsInRows(rows: readonly Row[]): readonly RunRow[] {
  return rows.map((row) => ({
    run: String(row['run']),
    stack: String(row['stack']),
    startedAt: String(row['started_at']),
  }));
}

/** A record of a service, whose kinds are no matter of the journal. */
export interface RecordRow<Kind extends string> {
  readonly kind: Kind;
  readonly key: string;
  readonly version: number;
  readonly value: Json;
  /** ISO 8601. */
  readonly at: string;
}

/** Of columns of the same names. @throws JOURNAL_BROKEN for a value that somebody else wrote into the table */
export function recordInRow<Kind extends string>(row: Row): RecordRow<Kind> {
  const [kind, key] = [String(row['kind']) as Kind, String(row['key'])];
  return { kind, key, version: Number(row['version']), value: valueIn(row, kind, key), at: String(row['at']) };
}

function valueIn(row: Row, kind: string, key: string): Json {
  try {
    return JSON.parse(String(row['value'])) as Json;
  } catch (cause) {
    throw new BackstayError('JOURNAL_BROKEN', `the record ${key} of kind ${kind} is no JSON`, { cause });
  }
}
