import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createSqliteJournal } from '../../../src/adapters/sqlite/index.ts';
import { networkFileSystem } from '../../../src/adapters/sqlite/network-file-systems.ts';
import { journalStoreContract, resumedEntry } from '../../contracts/journal-store.ts';

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

describe('the journal in SQLite', () => {
  test('is still there when it is opened again', async () => {
    const file = await newFile();
    const first = await createSqliteJournal({ file });
    await first.append(resumedEntry('r1', 1));
    await first.close();
    const second = await createSqliteJournal({ file });
    expect(await second.read('r1')).toHaveLength(1);
    await second.close();
  });

  test('is seen by a second connection at once, and both cannot write the same entry', async () => {
    const file = await newFile();
    const [one, two] = [await createSqliteJournal({ file }), await createSqliteJournal({ file })];
    await one.append(resumedEntry('r1', 1));
    expect(await two.read('r1')).toHaveLength(1);
    await expect(two.append(resumedEntry('r1', 1))).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    await two.append(resumedEntry('r1', 2));
    await one.close();
    await two.close();
  });

  test('can be read by nobody but its owner, with the files that SQLite puts beside it', async () => {
    const file = await newFile();
    const store = await createSqliteJournal({ file });
    await store.append(resumedEntry('r1', 1));
    for (const path of [file, `${file}-wal`, `${file}-shm`]) expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(file, '..'))).mode & 0o777).toBe(0o700);
    await store.close();
  });

  test('syncs every commit in write-ahead mode, and lets nothing be changed or deleted', async () => {
    const file = await newFile();
    const store = await createSqliteJournal({ file });
    await store.append(resumedEntry('r1', 1));
    await store.close();
    const raw = new DatabaseSync(file);
    expect(raw.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(() => raw.exec("UPDATE entries SET stack = 'other'")).toThrow(/append-only/);
    expect(() => raw.exec('DELETE FROM entries')).toThrow(/append-only/);
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
