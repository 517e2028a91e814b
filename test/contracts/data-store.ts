import { copyFile, open, readFile, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Backup } from '../../src/model/index.ts';
import type { DataStore } from '../../src/ports/index.ts';

/** One store on a real server, filled with the first of two data sets. */
export interface DataStoreFixture {
  readonly store: DataStore;
  /** What `inspect` counts in the first data set. */
  readonly rows: Readonly<Record<string, number>>;
  /** A word that the live data has, read past the store: `one` in the first data set, `two` once it was damaged. */
  readonly marker: () => Promise<string>;
  /** Makes the second data set of the first, as a bad release would: values change, some are gone; the schema stays. */
  readonly damage: () => Promise<void>;
  /** Everything of this store on its server that is neither the live data nor Backstay's own fence. */
  readonly beside: () => Promise<readonly string[]>;
  /** Another client, connected until it is closed. It calls itself `writer` where clients have names. */
  readonly session: () => Promise<{ readonly close: () => Promise<void> }>;
  /** Absolute path of the file in which a backup's data is. */
  readonly file: (backup: Backup) => string;
  /** Never to be read in anything that the store says. */
  readonly password: string;
  /** Makes the live data contradict itself (a reference to nothing). Absent: the engine cannot be brought to that. */
  readonly spoil?: () => Promise<void>;
  /** Puts something in the way that `obstacles` has to tell; given back by what it returns. */
  readonly obstruct: () => Promise<() => Promise<void>>;
  /** Adds a column or property to the live schema. Absent: the engine has no schema, and its shape is empty. */
  readonly alter?: () => Promise<void>;
  /** Answers as soon as a restore is visibly at work. Absent: it is too short to be seen. */
  readonly untilRestoring?: () => Promise<void>;
  /** Removes everything of this store, also what tests left beside. */
  readonly stop: () => Promise<void>;
}

/** What a fixture may be unable to do. Its engine says so itself, so that nothing is passed over because it was forgotten. */
type Ability = 'spoil' | 'alter' | 'untilRestoring';

export interface ContractOptions {
  /** Of one test, in milliseconds: some servers take seconds to restart. @default 120_000 */
  readonly limit?: number;
  /** @default none */
  readonly lacks?: readonly Ability[];
}

/** What every data store keeps. */
export function dataStoreContract(
  name: string,
  make: () => Promise<DataStoreFixture>,
  { limit = 120_000, lacks = [] }: ContractOptions = {},
): void {
  const it = (what: string, work: (fixture: DataStoreFixture) => Promise<void>): void => {
    test(
      `${name} ${what}`,
      async () => {
        expect.hasAssertions();
        const fixture = await make();
        try {
          for (const ability of lacks) expect(fixture).not.toHaveProperty(ability);
          await work(fixture);
        } finally {
          await fixture.stop();
        }
      },
      limit,
    );
  };

  describe(`data store contract: ${name}`, () => {
    lookingTests(it);
    if (lacks.includes('alter')) noSchemaTest(it);
    else schemaTest(it);
    if (!lacks.includes('spoil')) contradictionTest(it);
    backupTests(it);
    damagedTests(it);
    exchangeTests(it);
    abortTests(it);
    if (!lacks.includes('untilRestoring')) stopTest(it);
  });
}

function able<A extends Ability>(fixture: DataStoreFixture, ability: A): NonNullable<DataStoreFixture[A]> {
  const does = fixture[ability];
  if (does === undefined) throw new TypeError(`the fixture has no ${ability}, and its engine does not lack it`);
  return does;
}

type It = (what: string, work: (fixture: DataStoreFixture) => Promise<void>) => void;

function lookingTests(it: It): void {
  it('says what is there, and never the password', async ({ store, rows, password }) => {
    const seen = await store.inspect();
    expect(seen.rows).toEqual(rows);
    expect(seen.bytes).toBeGreaterThan(0);
    expect(seen.version).toMatch(/^\d+(\.\d+)*/);
    expect(JSON.stringify(seen)).not.toContain(password);
  });

  it('names the clients that are connected, and not itself', async ({ store, session }) => {
    expect(await store.sessions()).toEqual([]);
    const other = await session();
    try {
      await expect.poll(async () => await store.sessions()).toHaveLength(1);
    } finally {
      await other.close();
    }
    await expect.poll(async () => await store.sessions(), { timeout: 10_000 }).toEqual([]);
  });

  it('finds contents that differ, and none where nothing does', async ({ store, damage }) => {
    const before = await store.integrity();
    expect(before.problems).toEqual([]);
    expect(Object.keys(before.contents)).not.toEqual([]);
    expect((await store.integrity()).contents).toEqual(before.contents);
    await damage();
    expect((await store.integrity()).contents).not.toEqual(before.contents);
  });

  it('tells what would keep a restore from its end', async ({ store, obstruct }) => {
    const backup = await store.backup();
    expect(await store.obstacles(backup)).toEqual([]);
    const clear = await obstruct();
    expect(await store.obstacles(backup)).not.toEqual([]);
    await clear();
    expect(await store.obstacles(backup)).toEqual([]);
  });
}

function schemaTest(it: It): void {
  it('tells its shape: the schema stays when values change, and changes with it', async (fixture) => {
    const { store, damage } = fixture;
    const before = await store.shape();
    expect(Object.keys(before.tables).length).toBeGreaterThan(0);
    await damage();
    const damaged = await store.shape();
    expect(damaged.schema).toBe(before.schema);
    expect(damaged.tables).not.toEqual(before.tables);
    await able(fixture, 'alter')();
    expect((await store.shape()).schema).not.toBe(before.schema);
  });
}

function noSchemaTest(it: It): void {
  it('has a shape without tables, whatever its values are', async ({ store, damage }) => {
    const before = await store.shape();
    expect(before.tables).toEqual({});
    await damage();
    expect(await store.shape()).toEqual(before);
  });
}

function contradictionTest(it: It): void {
  it('finds data that contradicts itself', async (fixture) => {
    const { store } = fixture;
    expect((await store.integrity()).problems).toEqual([]);
    await able(fixture, 'spoil')();
    expect((await store.integrity()).problems).not.toEqual([]);
  });
}

function backupTests(it: It): void {
  it('takes a backup, reads it back, and finds it again', async ({ store, rows, beside, password, file }) => {
    expect(await store.backups()).toEqual([]);
    await expect(store.find('latest')).rejects.toMatchObject({ code: 'BACKUP_UNKNOWN' });
    const backup = await store.backup({ marker: 'together' });
    expect(backup.manifest).toMatchObject({ rows, store: store.setting.name, marker: 'together' });
    expect(backup.manifest.engine).toBe(store.setting.kind);
    expect(backup.proofs.map(({ proof }) => proof)).toEqual(['read']);
    expect(await store.backups()).toEqual([backup]);
    expect(await store.find('latest')).toEqual(backup);
    expect(await store.find(backup.manifest.id)).toEqual(backup);
    await expect(store.find('20200101-000000-000000')).rejects.toMatchObject({ code: 'BACKUP_UNKNOWN' });
    expect(await readFile(join(backup.folder, 'manifest.json'), 'utf8')).not.toContain(password);
    for (const path of [file(backup), join(backup.folder, 'manifest.json')])
      expect({ path, others: (await stat(path)).mode & 0o077 }).toEqual({ path, others: 0 });
    expect(await beside()).toEqual([]);
  });

  it('proves a backup by a restore, with the live data untouched and nothing left', async (fixture) => {
    const { store, damage, marker, beside } = fixture;
    const backup = await store.backup();
    await damage();
    const proven = await store.prove(backup, 'restored');
    expect(proven.proofs.map(({ proof }) => proof)).toContain('restored');
    expect(await store.find('latest')).toEqual(proven);
    expect(await store.prove(proven, 'restored')).toEqual(proven);
    expect(await marker()).toBe('two');
    expect(await beside()).toEqual([]);
  });

  it('lists a backup without a manifest as one that was cut off', async ({ store }) => {
    const backup = await store.backup();
    await rm(join(backup.folder, 'manifest.json'));
    expect(await store.backups()).toEqual([{ folder: backup.folder, damaged: expect.stringContaining('cut off') }]);
    await expect(store.find(backup.manifest.id)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    await expect(store.find('latest')).rejects.toMatchObject({ code: 'BACKUP_UNKNOWN' });
  });
}

const DAMAGES: readonly (readonly [string, (file: string, backup: Backup) => Promise<void>])[] = [
  ['cut to 60 %', async (file) => await truncate(file, Math.round((await stat(file)).size * 0.6))],
  ['without its last 10 bytes', async (file) => await truncate(file, (await stat(file)).size - 10)],
  ['with one bit flipped in its middle', async (file) => await flip(file, Math.round((await stat(file)).size / 2))],
  ['with one bit flipped at its beginning', async (file) => await flip(file, 2)],
  ['exchanged for another', async (file, { folder }) => await copyFile(join(folder, 'manifest.json'), file)],
  ['that is gone', async (file) => await rm(file)],
];

function damagedTests(it: It): void {
  for (const [how, harm] of DAMAGES) {
    it(`refuses a backup ${how} by name`, async ({ store, file, marker, beside, damage }) => {
      const backup = await store.prove(await store.backup(), 'restored');
      await damage();
      await harm(file(backup), backup);
      const unproven = { ...backup, proofs: [] };
      const damaged = { code: 'BACKUP_DAMAGED', message: expect.stringContaining(file(backup)) };
      // Proven before or not: what lay on a disk may have changed since.
      await expect(store.restoreBeside(backup, 'r1')).rejects.toMatchObject(damaged);
      await expect(store.prove(unproven, 'read')).rejects.toMatchObject(damaged);
      await expect(store.prove(unproven, 'restored')).rejects.toMatchObject(damaged);
      expect(await marker()).toBe('two');
      expect(await beside()).toEqual([]);
      expect(await store.stateOf('r1')).toBe('nothing');
    });
  }
}

function exchangeTests(it: It): void {
  it('takes the data back, keeps the former, undoes that, and leaves nothing when it is finalized', async (fixture) => {
    const { store, rows, damage, marker, beside } = fixture;
    const backup = await store.backup();
    const then = await store.integrity();
    await damage();
    expect(await store.stateOf('r1')).toBe('nothing');

    const restored = await store.restoreBeside(backup, 'r1');
    expect(restored.rows).toEqual(rows);
    expect(restored.proof.proof).toBe('restored');
    expect(restored.backup.proofs).toContainEqual(restored.proof);
    expect((await store.integrity(restored.database)).contents).toEqual(then.contents);
    expect((await store.shape(restored.database)).schema).toBe((await store.shape()).schema);
    expect(await marker()).toBe('two');
    expect(await store.stateOf('r1')).toBe('before');

    const { kept, unavailableMs } = await store.swap('r1');
    expect(kept).not.toBe('');
    expect(unavailableMs).toBeGreaterThanOrEqual(0);
    expect(await marker()).toBe('one');
    expect((await store.inspect()).rows).toEqual(rows);
    expect(await store.stateOf('r1')).toBe('swapped');

    await store.undoSwap('r1');
    expect(await marker()).toBe('two');
    expect(await store.stateOf('r1')).toBe('undone');

    expect(await store.finalize('r1')).not.toEqual([]);
    expect(await store.finalize('r1')).toEqual([]);
    expect(await store.stateOf('r1')).toBe('nothing');
    expect(await marker()).toBe('two');
    expect(await beside()).toEqual([]);
  });

  it('does each act once, however often it is asked', async ({ store, damage, marker, beside }) => {
    const backup = await store.backup();
    await damage();
    const first = await store.restoreBeside(backup, 'r1');
    const again = await store.restoreBeside(backup, 'r1');
    expect(again).toMatchObject({ database: first.database, rows: first.rows });
    const { kept } = await store.swap('r1');
    expect((await store.swap('r1')).kept).toBe(kept);
    expect(await marker()).toBe('one');
    expect(await store.stateOf('r1')).toBe('swapped');
    const undone = await store.undoSwap('r1');
    expect((await store.undoSwap('r1')).kept).toBe(undone.kept);
    expect(await marker()).toBe('two');
    await store.finalize('r1');
    expect(await beside()).toEqual([]);
  });

  it('keeps the data of a finalized exchange', async ({ store, damage, marker, beside, rows }) => {
    const backup = await store.backup();
    await damage();
    await store.restoreBeside(backup, 'r1');
    await store.swap('r1');
    expect(await store.finalize('r1')).not.toEqual([]);
    expect(await marker()).toBe('one');
    expect((await store.inspect()).rows).toEqual(rows);
    expect(await beside()).toEqual([]);
  });

  it('drops what stands beside when a run ends before its exchange', async ({ store, damage, marker, beside }) => {
    const backup = await store.backup();
    await damage();
    await store.restoreBeside(backup, 'r1');
    expect(await store.finalize('r1')).not.toEqual([]);
    expect(await store.stateOf('r1')).toBe('nothing');
    expect(await marker()).toBe('two');
    expect(await beside()).toEqual([]);
  });

  it('exchanges nothing that it did not restore, and undoes nothing that it did not exchange', async (fixture) => {
    const { store, marker, beside } = fixture;
    await expect(store.swap('r1')).rejects.toMatchObject({ code: expect.stringMatching(/^STORE_(FAILED|FENCED)$/) });
    await expect(store.undoSwap('r1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await store.finalize('r1')).toEqual([]);
    expect(await marker()).toBe('one');
    expect(await beside()).toEqual([]);
  });

  it('lets no older run exchange once a newer one has begun', async ({ store, damage, marker }) => {
    const backup = await store.backup();
    await damage();
    await store.restoreBeside(backup, 'r1');
    await store.restoreBeside(backup, 'r2');
    await expect(store.swap('r1')).rejects.toMatchObject({ code: 'STORE_FENCED' });
    expect(await marker()).toBe('two');
    await store.swap('r2');
    expect(await marker()).toBe('one');
    await store.finalize('r1');
    await store.undoSwap('r2');
    expect(await marker()).toBe('two');
    await store.finalize('r2');
  });

  it('goes on being a store after an exchange: backs up and exchanges again', async ({ store, damage, marker }) => {
    const first = await store.backup();
    await damage();
    const second = await store.backup();
    await store.restoreBeside(first, 'r1');
    await store.swap('r1');
    expect(await marker()).toBe('one');
    await store.finalize('r1');
    await store.restoreBeside(second, 'r2');
    await store.swap('r2');
    expect(await marker()).toBe('two');
    await store.finalize('r2');
    expect((await store.inspect()).rows).toEqual(second.manifest.rows);
  });
}

function abortTests(it: It): void {
  it('leaves nothing when it is told to stop before it began', async ({ store, beside, marker }) => {
    const signal = AbortSignal.abort();
    await expect(store.backup({ signal })).rejects.toThrow(/abort/);
    expect(await store.backups()).toEqual([]);
    const backup = await store.backup();
    await expect(store.prove(backup, 'restored', signal)).rejects.toThrow(/abort/);
    await expect(store.restoreBeside(backup, 'r1', signal)).rejects.toThrow(/abort/);
    expect(await beside()).toEqual([]);
    expect(await store.stateOf('r1')).toBe('nothing');
    expect(await marker()).toBe('one');
  });
}

function stopTest(it: It): void {
  it('leaves nothing of a restore that is stopped in its middle, and begins anew', async (fixture) => {
    const { store, beside, rows } = fixture;
    const untilRestoring = able(fixture, 'untilRestoring');
    expect(await beside()).toEqual([]);
    const backup = await store.backup();
    const stop = new AbortController();
    const restoring = store.restoreBeside(backup, 'r1', stop.signal);
    const stopped = untilRestoring().then(() => stop.abort());
    await expect(restoring).rejects.toThrow(/abort/);
    await stopped;
    expect(await beside()).toEqual([]);
    expect((await store.restoreBeside(backup, 'r1')).rows).toEqual(rows);
    await store.finalize('r1');
  });
}

async function flip(file: string, at: number): Promise<void> {
  const byte = (await readFile(file))[at] ?? 0;
  const handle = await open(file, 'r+');
  await handle.write(Uint8Array.of(byte ^ 1), 0, 1, at);
  await handle.close();
}
