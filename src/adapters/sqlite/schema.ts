import type { DatabaseSync } from 'node:sqlite';
import { BackstayError } from '../../errors/index.ts';
import { digestOfBytes } from '../../model/index.ts';

/** Grows when an older program would misread the file, or write it wrongly. In SQLite's user_version; a greater one is refused. */
export const SCHEMA_VERSION = 2;

/** Grows when something is added that an older program may leave alone. In the table `about`; a greater one is told. */
export const SCHEMA_REVISION = 1;

/** Version 1. */
const ENTRIES = `
  CREATE TABLE entries (
    run TEXT NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    stack TEXT NOT NULL,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    entry TEXT NOT NULL CHECK (json_valid(entry)),
    PRIMARY KEY (run, sequence)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX first_entries ON entries (time) WHERE sequence = 1;
  CREATE TRIGGER entries_are_kept BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
  CREATE TRIGGER entries_stay_as_they_are BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
`;

/** Version 2: the head of each run, written with its entry, so that an entry missing at the end is found. */
const RUNS = `
  CREATE TABLE runs (
    run TEXT NOT NULL PRIMARY KEY,
    stack TEXT NOT NULL,
    started_at TEXT NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    link TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER runs_are_kept BEFORE DELETE ON runs
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
  CREATE TRIGGER runs_go_on BEFORE UPDATE ON runs
    WHEN NEW.run <> OLD.run OR NEW.stack <> OLD.stack OR NEW.started_at <> OLD.started_at
      OR NEW.sequence <> OLD.sequence + 1
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
  CREATE TABLE about (only INTEGER PRIMARY KEY CHECK (only = 1), revision INTEGER NOT NULL) STRICT;
  INSERT INTO about VALUES (1, 0);
`;

/**
 * Revision 1: what a service keeps, made when one first opens the file. What was removed leaves a row without a value, so
 * that whoever follows hears of it; `change` counts the writes of all kinds.
 */
const RECORDS = `
  CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL,
    key TEXT NOT NULL CHECK (length(CAST(key AS BLOB)) BETWEEN 1 AND 1000),
    version INTEGER NOT NULL CHECK (version >= 1),
    value TEXT CHECK (json_valid(value)),
    at TEXT NOT NULL,
    change INTEGER NOT NULL UNIQUE,
    PRIMARY KEY (kind, key)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS record_changes ON records (kind, change);
  CREATE INDEX IF NOT EXISTS removed_records ON records (change) WHERE value IS NULL;
  UPDATE about SET revision = max(revision, 1);
`;

/**
 * Makes the tables, or brings those of an older program up, in one transaction; another process may do so at the same time.
 * @throws JOURNAL_BROKEN for a file of a newer version. A newer revision is told to `warn`.
 */
export function prepareSchema(database: DatabaseSync, file: string, warn: (message: string) => void): void {
  refuseNewer(versionOf(database), file);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  if (versionOf(database) < SCHEMA_VERSION) migrate(database, file);
  const revision = Number(database.prepare('SELECT revision FROM about').get()?.['revision'] ?? 0);
  if (revision > SCHEMA_REVISION) {
    warn(
      `the journal ${file} was written by a newer backstay (revision ${revision}): what that one added is not shown`,
    );
  }
}

/** Makes the table of records where there is none, in one transaction. The journal's own tables are there already. */
export function prepareRecords(database: DatabaseSync): void {
  const isThere = database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'records'").get();
  if (isThere !== undefined) return;
  inTransaction(database, () => database.exec(RECORDS));
}

function inTransaction(database: DatabaseSync, act: () => void): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    act();
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function migrate(database: DatabaseSync, file: string): void {
  inTransaction(database, () => {
    // Asked again: whoever held the file until now may have done it.
    const version = versionOf(database);
    refuseNewer(version, file);
    if (version < 1) database.exec(ENTRIES);
    if (version < 2) {
      database.exec(RUNS);
      addHeads(database);
    }
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
}

/** The last entry of each run vouches for those before it; from here on the head vouches for the last one. */
function addHeads(database: DatabaseSync): void {
  const runs = database.prepare(`
    SELECT last.run, first.stack, first.time, last.sequence, last.entry
    FROM (SELECT run, max(sequence) AS sequence, entry FROM entries GROUP BY run) AS last
    JOIN entries AS first ON first.run = last.run AND first.sequence = 1`);
  const insert = database.prepare('INSERT INTO runs (run, stack, started_at, sequence, link) VALUES (?, ?, ?, ?, ?)');
  for (const row of runs.all()) {
    const [run, stack, time, text] = ['run', 'stack', 'time', 'entry'].map((name) => String(row[name]));
    insert.run(run!, stack!, time!, Number(row['sequence']), digestOfBytes(text!));
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
}

function refuseNewer(version: number, file: string): void {
  if (version <= SCHEMA_VERSION) return;
  throw new BackstayError(
    'JOURNAL_BROKEN',
    `${file} is a journal of format ${version}; this program knows ${SCHEMA_VERSION}`,
    { next: 'Use a newer backstay, or name another folder with BACKSTAY_STATE_DIR.' },
  );
}
