import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createBackupShelf } from '../../../src/adapters/fs/index.ts';
import { createSqlServerStore, findSqlcmd } from '../../../src/adapters/sqlserver/index.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { type DataStoreFixture, dataStoreContract } from '../../contracts/data-store.ts';

const PASSWORD = 'of a fake server';

/** What the stand-in keeps in its file. */
interface FakeState {
  sessions: readonly string[];
  failAt?: string;
  obstacle?: boolean;
  readonly databases: Record<string, { tables: Record<string, readonly string[]>; columns: string[] } | undefined>;
}

interface Fake extends DataStoreFixture {
  readonly home: string;
  readonly change: (to: (state: FakeState) => void) => Promise<void>;
  readonly names: () => Promise<readonly string[]>;
}

/** What the stand-in for sqlcmd knows: see test/support/fake-sqlcmd.ts. It proves our side of the contract alone. */
async function fake(password = PASSWORD): Promise<Fake> {
  const home = await mkdtemp(join(tmpdir(), 'backstay-fake-sqlcmd-'));
  // Started some hundred times: its types are taken out once.
  const source = await readFile(join(import.meta.dirname, '../../support/fake-sqlcmd.ts'), 'utf8');
  await writeFile(join(home, 'fake.mjs'), stripTypeScriptTypes(source));
  const program = join(home, 'sqlcmd');
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${join(home, 'fake.mjs')}' "$@"\n`);
  await chmod(program, 0o755);
  const file = join(home, 'state.json');
  const live = {
    tables: { documents: ['one', 'a', 'b'], 'odd]name': ['x'] },
    properties: {},
    columns: ['title'],
    state: 'ONLINE',
  };
  await writeFile(file, JSON.stringify({ password: PASSWORD, sessions: [], databases: { app: live } }));
  const read = async (): Promise<FakeState> => JSON.parse(await readFile(file, 'utf8')) as FakeState;
  const change: Fake['change'] = async (to) => {
    const state = await read();
    to(state);
    await writeFile(file, JSON.stringify(state));
  };
  const names = async (): Promise<readonly string[]> => Object.keys((await read()).databases);
  const connection = { host: 'db.example', port: 1433, user: 'ada', database: 'app' };
  const clock = createSystemClock();
  return {
    home,
    change,
    names,
    store: createSqlServerStore({
      stack: 'shop',
      setting: { name: 'main', kind: 'sqlserver', connection, tables: [], writers: [] },
      access: async () => ({ connection, password }),
      shelf: createBackupShelf(join(home, 'shelf'), clock),
      clock,
      program: () => program,
    }),
    rows: { 'dbo.documents': 3, 'dbo.odd]name': 1 },
    marker: async () => String((await read()).databases['app']?.tables['documents']?.[0]),
    damage: async () =>
      await change(({ databases: { app } }) => {
        if (app !== undefined) app.tables['documents'] = ['two', 'a'];
      }),
    beside: async () => (await names()).filter((name) => name !== 'app'),
    session: async () => {
      await change((state) => void (state.sessions = ['writer']));
      return { close: async () => await change((state) => void (state.sessions = [])) };
    },
    file: ({ manifest }) => manifest.file.name,
    password: PASSWORD,
    obstruct: async () => {
      await change((state) => void (state.obstacle = true));
      return async () => await change((state) => void (state.obstacle = false));
    },
    alter: async () => await change(({ databases }) => void databases['app']?.columns.push('hits')),
    stop: async () => await rm(home, { recursive: true, force: true }),
  };
}

dataStoreContract('SQL Server (stand-in)', fake, { lacks: ['spoil', 'untilRestoring'] });

describe('what sqlcmd is given and what its end means', { timeout: 120_000 }, () => {
  const withFake = async (work: (made: Fake & { readonly store: DataStore }) => Promise<void>, password?: string) => {
    const made = await fake(password);
    try {
      await work(made);
    } finally {
      await made.stop();
    }
  };

  it('is never the password, nor is that in any file', async () =>
    await withFake(async ({ store, home }) => {
      const backup = await store.backup();
      await store.restoreBeside(backup, 'r1');
      await store.swap('r1');
      const calls = await readFile(join(home, 'calls.log'), 'utf8');
      expect(calls).toContain('RESTORE VERIFYONLY');
      expect(calls).not.toContain(PASSWORD);
      for (const name of await readdir(backup.folder))
        expect(await readFile(join(backup.folder, name), 'utf8')).not.toContain(PASSWORD);
    }));

  it('is told apart: a login that is refused, an error, another run', async () => {
    await withFake(
      async ({ store }) =>
        await expect(store.inspect()).rejects.toMatchObject({
          code: 'STORE_UNREACHABLE',
          next: expect.stringContaining('password'),
        }),
      'wrong',
    );
    await withFake(async ({ store, change }) => {
      await change((state) => void (state.failAt = 'BACKUP DATABASE'));
      await expect(store.backup()).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringContaining('kill state'),
      });
      expect(await store.backups()).toEqual([]);
    });
  });

  it.each([
    ['DBCC CHECKDB', 'the check of what was restored'],
    ["sp_addextendedproperty @name = N'backstay.restored'", 'the mark that it is whole'],
  ])(
    'an end at %s leaves a restore that begins anew',
    async (failAt) =>
      await withFake(async ({ store, change, marker }) => {
        const backup = await store.backup();
        await change((state) => void (state.failAt = failAt));
        await expect(store.restoreBeside(backup, 'r1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
        await expect(store.swap('r1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
        expect(await marker()).toBe('one');
        await store.restoreBeside(backup, 'r1');
        await store.swap('r1');
        expect(await store.stateOf('r1')).toBe('swapped');
      }),
  );

  it('an end between the two renames of an exchange is ended by the next attempt, both ways', async () =>
    await withFake(async ({ store, change, marker, names, damage }) => {
      const backup = await store.backup();
      await damage();
      await store.restoreBeside(backup, 'r1');
      await change((state) => void (state.failAt = 'MODIFY NAME = [app];'));
      await expect(store.swap('r1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
      expect(await names()).not.toContain('app');
      expect(await store.stateOf('r1')).toBe('before');
      await expect(store.finalize('r1')).rejects.toThrow('has to come to its end first');
      await store.swap('r1');
      expect(await marker()).toBe('one');
      await change((state) => void (state.failAt = 'MODIFY NAME = [app];'));
      await expect(store.undoSwap('r1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
      expect(await store.stateOf('r1')).toBe('swapped');
      await store.undoSwap('r1');
      expect(await marker()).toBe('two');
      expect(await store.finalize('r1')).toEqual(['app__bs_r1_undone']);
      expect(await names()).toEqual(['app']);
    }));

  it('is looked for where it was named, and missed in plain words', () => {
    expect(findSqlcmd({ BACKSTAY_SQLCMD: '/opt/own/sqlcmd' })).toBe('/opt/own/sqlcmd');
    expect(() => findSqlcmd({ PATH: '/nowhere' })).toThrow('sqlcmd, which is not here');
  });
});
