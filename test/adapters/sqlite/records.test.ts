import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { createSqliteJournal, createSqliteRecords } from '../../../src/adapters/sqlite/index.ts';
import { nextEntry } from '../../contracts/journal-store.ts';
import { serviceStoreContract } from '../../contracts/service-store.ts';
import { PROJECT } from '../../support/backstay.ts';

const folders: string[] = [];

async function newFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backstay-records-'));
  folders.push(folder);
  return join(folder, 'journal.sqlite');
}

afterEach(async () => {
  await Promise.all(folders.splice(0).map(async (folder) => await rm(folder, { recursive: true })));
});

serviceStoreContract('SQLite', async () => {
  const file = await newFile();
  return {
    open: async () => await createSqliteRecords({ file }),
    journal: async () => await createSqliteJournal({ file }),
  };
});

/** Another process that writes one record and one entry, and is gone. */
async function elsewhere(file: string): Promise<void> {
  const program = `
    const { createSqliteJournal, createSqliteRecords } = await import(${JSON.stringify(`${PROJECT}/src/adapters/sqlite/index.ts`)});
    const records = await createSqliteRecords({ file: ${JSON.stringify(file)} });
    await records.put('proposal', 'theirs', 0, 'written');
    const journal = await createSqliteJournal({ file: ${JSON.stringify(file)} });
    await journal.append(${JSON.stringify(nextEntry('r1'))});
    process.kill(process.pid, 'SIGKILL');`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]).catch((error: unknown) => {
    if ((error as { readonly signal?: string }).signal !== 'SIGKILL') throw error;
  });
}

describe('records in SQLite', () => {
  test('hear of what another process wrote before it was killed', async () => {
    const file = await newFile();
    const store = await createSqliteRecords({ file });
    const stop = AbortSignal.timeout(60_000);
    const record = store.follow('proposal', stop)[Symbol.asyncIterator]().next();
    const ticks = store.changes(stop)[Symbol.asyncIterator]();
    await ticks.next();
    const [told, tick] = await Promise.all([record, ticks.next(), elsewhere(file)]);
    expect(told).toMatchObject({ value: { key: 'theirs', record: { value: 'written' } } });
    expect(tick).toEqual({ done: false, value: { run: 'r1' } });
    await store.close();
  }, 90_000);

  test('counted up by several processes at once lose no step', async () => {
    const file = await newFile();
    const store = await createSqliteRecords({ file });
    await store.put('baseline', 'count', 0, 0);
    const program = `
      const { createSqliteRecords } = await import(${JSON.stringify(`${PROJECT}/src/adapters/sqlite/index.ts`)});
      const records = await createSqliteRecords({ file: ${JSON.stringify(file)} });
      for (let won = 0; won < 50; ) {
        const { version, value } = await records.get('baseline', 'count');
        if (await records.put('baseline', 'count', version, value + 1)) won += 1;
      }
      await records.close();`;
    await Promise.all(
      [1, 2, 3].map(async () => await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])),
    );
    expect(await store.get('baseline', 'count')).toMatchObject({ value: 150, version: 151 });
    await store.close();
  }, 120_000);

  test('are made where a journal is already, and a journal alone makes none', async () => {
    const file = await newFile();
    const said: string[] = [];
    const journal = await createSqliteJournal({ file });
    await journal.append(nextEntry('r1'));
    const tables = (): unknown[] => {
      const raw = new DatabaseSync(file);
      const found = raw.prepare("SELECT name FROM sqlite_schema WHERE name = 'records'").all();
      raw.close();
      return found;
    };
    expect(tables()).toHaveLength(0);
    const records = await createSqliteRecords({ file, warn: (message) => said.push(message) });
    await records.put('token', 't', 0, 1);
    expect(tables()).toHaveLength(1);
    expect(await journal.read('r1')).toHaveLength(1);
    const again = await createSqliteJournal({ file, warn: (message) => said.push(message) });
    expect(said).toEqual([]);
    for (const store of [journal, again, records]) await store.close();
  });

  test('forget what was removed long ago, and nothing else', async () => {
    const file = await newFile();
    const store = await createSqliteRecords({ file });
    await store.put('claim', 'old', 0, 1);
    await store.remove('claim', 'old', 0);
    await store.put('claim', 'kept', 0, 1);
    // As ten thousand further writes leave it.
    const raw = new DatabaseSync(file);
    raw.exec("INSERT INTO records SELECT 'token', 'far', 1, '1', '', max(change) + 10001 FROM records");
    await store.put('claim', 'other', 0, 1);
    await store.remove('claim', 'other', 0);
    expect(raw.prepare("SELECT key FROM records WHERE kind = 'claim' ORDER BY key").all()).toEqual([
      { key: 'kept' },
      { key: 'other' },
    ]);
    raw.close();
    await store.close();
  });

  test('that are no JSON are told as a damaged journal', async () => {
    const file = await newFile();
    const store = await createSqliteRecords({ file });
    await store.put('token', 't', 0, 1);
    const raw = new DatabaseSync(file);
    raw.exec("PRAGMA ignore_check_constraints = 1; UPDATE records SET value = '{'");
    raw.close();
    await expect(store.get('token', 't')).rejects.toMatchObject({
      code: 'JOURNAL_BROKEN',
      message: 'the record t of kind token is no JSON',
    });
    await store.close();
  });
});
