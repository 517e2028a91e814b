import { mkdirSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createSqliteJournal } from '../../../src/adapters/sqlite/index.ts';
import { fold, type JournalEntry } from '../../../src/journal/index.ts';
import { networkFileSystem } from '../../../src/adapters/sqlite/network-file-systems.ts';
import {
  appendAll,
  entriesOf,
  journalStoreContract,
  nextEntry,
  type Tampering,
  tamperingContract,
} from '../../contracts/journal-store.ts';
import { aPlan } from '../../rollback/builders.ts';
import { journalOf } from '../../support/journal.ts';

const folders: string[] = [];

async function newFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backstay-journal-'));
  folders.push(folder);
  return join(folder, 'state', 'journal.sqlite');
}

afterEach(async () => {
  await Promise.all(folders.splice(0).map(async (folder) => await rm(folder, { recursive: true })));
});

journalStoreContract('SQLite', async () => await createSqliteJournal({ file: await newFile() }));
tamperingContract('SQLite', async () => {
  const file = await newFile();
  return tampering(file, await createSqliteJournal({ file }));
});

/** Writes as the sqlite3 shell would, the triggers dropped. */
function tampering(where: string, store: Tampering['store']): Tampering {
  const withDatabase = (act: (database: DatabaseSync) => void): void => {
    const database = new DatabaseSync(where);
    const triggers = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all();
    for (const { name } of triggers) database.exec(`DROP TRIGGER ${String(name)}`);
    act(database);
    database.close();
  };
  return {
    store,
    where,
    setText: async (run, sequence, change) =>
      withDatabase((database) => {
        const [text] = Object.values(
          database.prepare('SELECT entry FROM entries WHERE run = ? AND sequence = ?').get(run, sequence) ?? {},
        );
        const changed = change(String(text));
        expect(changed).not.toBe(text);
        database.prepare('UPDATE entries SET entry = ? WHERE run = ? AND sequence = ?').run(changed, run, sequence);
      }),
    remove: async (run, sequence) =>
      withDatabase((database) => {
        database.prepare('DELETE FROM entries WHERE run = ? AND sequence = ?').run(run, sequence);
      }),
    removeHead: async (run) =>
      withDatabase((database) => {
        database.prepare('DELETE FROM runs WHERE run = ?').run(run);
      }),
    insert: async (entry) => withDatabase((database) => insertEntry(database, entry)),
  };
}

function insertEntry(database: DatabaseSync, entry: JournalEntry): void {
  const { run, sequence, stack, time, kind } = entry;
  database
    .prepare('INSERT INTO entries (run, sequence, stack, time, kind, entry) VALUES (?, ?, ?, ?, ?, ?)')
    .run(run, sequence, stack, time, kind, JSON.stringify(entry));
}

/** As the program before chained entries made it. */
const FIRST_SCHEMA = `
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
  PRAGMA user_version = 1;`;

function oldFile(file: string, entries: readonly JournalEntry[]): void {
  mkdirSync(dirname(file));
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA journal_mode = WAL; ${FIRST_SCHEMA}`);
  for (const entry of entries) insertEntry(database, entry);
  database.close();
}

function firstFormat(run: string): JournalEntry[] {
  const by = { user: 'ada', host: 'laptop' };
  const entries = journalOf(
    [
      { kind: 'run-created', plan: aPlan(), by },
      { kind: 'phase-entered', phase: 'locked' },
    ],
    run,
  );
  return entries.map(({ previous: _previous, ...entry }) => ({ ...entry, format: 1 }));
}

describe('the journal in SQLite', () => {
  test('is still there when it is opened again', async () => {
    const file = await newFile();
    const first = await createSqliteJournal({ file });
    await first.append(nextEntry('r1'));
    await first.close();
    const second = await createSqliteJournal({ file });
    expect(await second.read('r1')).toHaveLength(1);
    await second.close();
  });

  test('is seen by a second connection at once, and both cannot write the same entry', async () => {
    const file = await newFile();
    const [one, two] = [await createSqliteJournal({ file }), await createSqliteJournal({ file })];
    await one.append(nextEntry('r1'));
    expect(await two.read('r1')).toHaveLength(1);
    await expect(two.append(nextEntry('r1'))).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    await two.append(entriesOf('r1', 2)[1]!);
    await one.close();
    await two.close();
  });

  test('can be read by nobody but its owner, with the files that SQLite puts beside it', async () => {
    const file = await newFile();
    const store = await createSqliteJournal({ file });
    await store.append(nextEntry('r1'));
    for (const path of [file, `${file}-wal`, `${file}-shm`]) expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(file, '..'))).mode & 0o777).toBe(0o700);
    await store.close();
  });

  test('syncs every commit in write-ahead mode, and lets nothing be changed or deleted', async () => {
    const file = await newFile();
    const store = await createSqliteJournal({ file });
    await store.append(nextEntry('r1'));
    await store.close();
    const raw = new DatabaseSync(file);
    expect(raw.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(() => raw.exec("UPDATE entries SET stack = 'other'")).toThrow(/append-only/);
    expect(() => raw.exec('DELETE FROM entries')).toThrow(/append-only/);
    expect(() => raw.exec('DELETE FROM runs')).toThrow(/append-only/);
    expect(() => raw.exec("UPDATE runs SET link = 'sha256:0'")).toThrow(/append-only/);
    raw.close();
  });

  test('refuses a file of a newer format instead of guessing at it', async () => {
    const file = await newFile();
    await (await createSqliteJournal({ file })).close();
    const raw = new DatabaseSync(file);
    raw.exec('PRAGMA user_version = 9');
    raw.close();
    await expect(createSqliteJournal({ file })).rejects.toMatchObject({
      code: 'JOURNAL_BROKEN',
      message: expect.stringContaining('format 9'),
    });
  });

  test('opens a file to which a newer program added something, and says so', async () => {
    const file = await newFile();
    await (await createSqliteJournal({ file })).close();
    const raw = new DatabaseSync(file);
    raw.exec('CREATE TABLE votes (run TEXT); UPDATE about SET revision = 7');
    raw.close();
    const said: string[] = [];
    const store = await createSqliteJournal({ file, warn: (message) => said.push(message) });
    expect(said).toEqual([expect.stringContaining('newer backstay (revision 7)')]);
    await appendAll(store, entriesOf('r1', 2));
    expect(await store.read('r1')).toHaveLength(2);
    await store.close();
  });

  test('brings a file of the first schema up, whole, and goes on with its runs', async () => {
    const file = await newFile();
    const [old, cut] = [firstFormat('r1'), firstFormat('r2').slice(0, 1)];
    oldFile(file, [...old, ...cut]);
    // Two processes at once.
    const [store, other] = await Promise.all([createSqliteJournal({ file }), createSqliteJournal({ file })]);
    expect(await store.read('r1')).toEqual(old);
    expect(await other.read('r2')).toEqual(cut);
    expect((await store.runs()).map(({ run }) => run)).toEqual(['r2', 'r1']);
    const next = nextEntry('r1', old.at(-1));
    await store.append(next);
    expect(fold(await other.read('r1'))).toMatchObject({ sequence: 3, resumed: [{}] });
    await store.close();
    await other.close();
    await tampering(file, store).remove('r2', 1);
    const again = await createSqliteJournal({ file });
    await expect(again.read('r2')).rejects.toMatchObject({ details: { run: 'r2', entry: 1 } });
    await again.close();
  });

  test('leaves a file of the first schema as it is when it cannot be brought up', async () => {
    const file = await newFile();
    oldFile(file, firstFormat('r1'));
    const raw = new DatabaseSync(file);
    raw.exec('CREATE TABLE about (surprise TEXT)');
    raw.close();
    await expect(createSqliteJournal({ file })).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    const after = new DatabaseSync(file);
    expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1 });
    expect(after.prepare("SELECT name FROM sqlite_schema WHERE name = 'runs'").get()).toBeUndefined();
    after.close();
  });

  test('refuses a file that is no database, and leaves it as it is', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'backstay-journal-'));
    folders.push(folder);
    const file = join(folder, 'journal.sqlite');
    await writeFile(
      file,
      'this is a letter to my aunt, and long enough to be looked at as a header of a database file',
    );
    await expect(createSqliteJournal({ file })).rejects.toMatchObject({
      code: 'JOURNAL_BROKEN',
      message: expect.stringContaining('not a database'),
    });
  });

  test('refuses a folder on a network file system, naming it', async () => {
    const file = await newFile();
    await expect(createSqliteJournal({ file, fileSystemType: async () => 0x6969 })).rejects.toMatchObject({
      code: 'JOURNAL_BROKEN',
      message: expect.stringContaining('NFS'),
    });
  });

  test.each([
    [0x6969, 'NFS'],
    [0xff534d42, 'CIFS'],
    [0xff534d42 | 0, 'CIFS'],
    [0xef53, undefined],
    [0x58465342, undefined],
    [0x794c7630, undefined],
  ])('takes a file system of type %i for %s', (type, name) => {
    expect(networkFileSystem(type)).toBe(name);
  });
});
