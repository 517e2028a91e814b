import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresStore } from '../../support/postgres-store.ts';
import { findClientTools } from '../../../src/adapters/postgres/store/tools.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { embeddedBinaries } from '../../../src/sandbox/images/postgres/binaries.ts';
import { findPostgresClient } from '../../../src/toolchain/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

/** PostgreSQL 18, as npm brings it, with client tools that are fetched where this machine's own are older. */
describe('a server that is newer than the tools of this machine', () => {
  let server: TestPostgres;
  let root: string;
  let client: string;

  const storeOf = (env: Readonly<Record<string, string | undefined>>): DataStore =>
    postgresStore({
      stack: 'shop',
      setting: { name: 'main', kind: 'postgres', connection: server.connection('app'), tables: [], writers: [] },
      access: async () => ({ connection: server.connection('app'), password: server.password }),
      root,
      clock: createSystemClock(),
      env,
      fetchTools: async () => client,
    });
  const texts = async (): Promise<unknown> =>
    (await server.run('app', 'SELECT count(*)::int AS n, max(text) AS text FROM pages'))[0];

  beforeAll(async () => {
    const embedded = embeddedBinaries();
    if (embedded === undefined) throw new TypeError('npm brought no PostgreSQL for this machine');
    if (!embedded.version.startsWith('18.')) throw new TypeError(`npm brought PostgreSQL ${embedded.version}`);
    client = await findPostgresClient();
    server = await startTestPostgres([], { bin: embedded.bin });
    root = await mkdtemp(join(tmpdir(), 'backstay-18-'));
    await server.run('postgres', 'CREATE DATABASE app');
    await server.run(
      'app',
      'CREATE TABLE pages (id int PRIMARY KEY, text text, twice int GENERATED ALWAYS AS (id * 2) VIRTUAL)',
      `INSERT INTO pages (id, text) SELECT n, 'page' FROM generate_series(1, 500) AS n`,
    );
  }, 300_000);
  afterAll(async () => {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });

  it('is backed up, taken back and undone with the tools of its own version', async () => {
    const store = storeOf(process.env);
    const backup = await store.backup();
    expect(backup.manifest.server.version).toMatch(/^18\./);
    expect(backup.manifest.tool).toMatch(/^pg_dump 18\./);
    await server.run('app', `UPDATE pages SET text = 'zz damaged'`, 'DELETE FROM pages WHERE id > 100');
    const run = '20260101-120000-abcdef';
    await store.restoreBeside(backup, run);
    await store.swap(run);
    expect(await texts()).toEqual({ n: 500, text: 'page' });
    await store.undoSwap(run);
    expect(await texts()).toEqual({ n: 100, text: 'zz damaged' });
    await store.finalize(run);
  });

  it('is not touched by tools that somebody chose and that are too old', async () => {
    const { bin, major } = await findClientTools(15, { ...process.env, BACKSTAY_PG_BIN: undefined });
    // Where this machine's own tools are of that version, nothing here is too old.
    const chosen = major >= 18 ? join(client, '..', '..', 'nowhere') : bin;
    await expect(storeOf({ BACKSTAY_PG_BIN: chosen }).backup()).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      message: expect.stringContaining('needs client tools at least as new'),
      next: expect.stringContaining('PostgreSQL 18'),
    });
  });
});
