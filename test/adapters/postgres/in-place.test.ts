import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { labelsIn, standsInTheWay } from '../../../src/adapters/postgres/store/in-place-outside.ts';
import { postgresStore } from '../../support/postgres-store.ts';
import { findClientTools } from '../../../src/adapters/postgres/store/tools.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { Backup } from '../../../src/model/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

describe('standsInTheWay', () => {
  const LIST = labelsIn(
    [
      ';',
      '; Archive created at 2026-01-01',
      '6; 2615 2200 SCHEMA - public pg_database_owner',
      '7; 2615 16385 SCHEMA - audit modest',
      '215; 1259 16389 TABLE public documents modest',
      '3359; 0 16389 TABLE DATA public documents modest',
      '216; 1255 16400 FUNCTION public shout(integer, text) modest',
      '2; 3079 16401 EXTENSION - pg_trgm ',
    ].join('\n'),
  );
  const table = (key: string, label: string, owns = true) => ({ key, label, owns });
  const documents = table('pg_class/1', 'TABLE public documents');

  test('takes names from the list, and never the schema that is always there', () => {
    expect([...LIST]).toEqual([
      'SCHEMA - audit',
      'TABLE public documents',
      'TABLE DATA public documents',
      'FUNCTION public shout(integer, text)',
      'EXTENSION - pg_trgm',
    ]);
  });

  test.each([
    ['nothing', [documents], [], [], []],
    [
      'a table of others',
      [table('pg_class/1', 'TABLE public documents', false)],
      [],
      [],
      ['the user does not own table public.documents'],
    ],
    ['not what the backup has not', [documents, table('pg_class/2', 'TABLE public new', false)], [], [], []],
    [
      'a view, by its rule',
      [documents, table('pg_class/2', 'VIEW public titles')],
      [{ key: 'pg_rewrite/9', of: 'pg_class/2' }],
      [{ key: 'pg_rewrite/9', on: 'pg_class/1' }],
      [
        'view public.titles is not in the backup and needs table public.documents: drop it first, and make it again afterwards',
      ],
    ],
    [
      'a function that takes an array of its rows',
      [documents, table('pg_proc/2', 'FUNCTION public all(public.documents[])')],
      [
        { key: 'pg_type/3', of: 'pg_class/1' },
        { key: 'pg_type/4', of: 'pg_type/3' },
      ],
      [{ key: 'pg_proc/2', on: 'pg_type/4' }],
      [
        'function public.all(public.documents[]) is not in the backup and needs table public.documents: drop it first, and make it again afterwards',
      ],
    ],
    [
      'a table in a schema that goes',
      [table('pg_namespace/1', 'SCHEMA - audit'), table('pg_class/2', 'TABLE audit new')],
      [],
      [{ key: 'pg_class/2', on: 'pg_namespace/1' }],
      ['table audit.new is not in the backup and needs schema audit: drop it first, and make it again afterwards'],
    ],
    [
      'not what needs itself, or leans on what stays',
      [documents, table('pg_class/2', 'TABLE public new'), table('pg_class/3', 'VIEW public news')],
      [{ key: 'pg_constraint/5', of: 'pg_class/1' }],
      [
        { key: 'pg_constraint/5', on: 'pg_class/1' },
        { key: 'pg_class/3', on: 'pg_class/2' },
        { key: 'pg_class/1', on: 'pg_class/2' },
      ],
      [],
    ],
  ])('finds %s', (_what, objects, parts, needs, found) => {
    expect(standsInTheWay({ objects, parts, needs }, LIST)).toEqual(found);
  });
});

/** On a real server: over the live data, or not at all. */
describe('a restore in place', { timeout: 120_000 }, () => {
  let server: TestPostgres;
  let root: string;
  let number = 0;
  let database: string;
  let store: DataStore;

  const run = async (...statements: readonly string[]) => await server.run(database, ...statements);
  const one = async (sql: string): Promise<unknown> => (await run(`SELECT (${sql})::text AS x`))[0]?.['x'];
  const contents = async (): Promise<unknown> =>
    await one(
      `SELECT md5(concat((SELECT string_agg(t::text, ',' ORDER BY t::text) FROM documents t),
                         (SELECT string_agg(t::text, ',' ORDER BY t::text) FROM audit.events t)))`,
    );
  const oids = async (): Promise<unknown> =>
    await one(
      `SELECT string_agg(oid::text || relfilenode, ' ' ORDER BY oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
    );
  const open = (env: NodeJS.ProcessEnv = process.env): DataStore => {
    const connection = { ...server.connection(database), user: 'modest' };
    return postgresStore({
      stack: 'shop',
      setting: { name: database, kind: 'postgres', connection, tables: [], writers: [] },
      access: async () => ({ connection, password: server.password }),
      root,
      clock: createSystemClock(),
      env,
      parallelFrom: number % 2 === 0 ? 0 : 2 ** 28,
    });
  };
  const look = async (backup: Backup) => await store.lookInPlace!(backup);
  const restore = async (backup: Backup, wayBack: Backup, name = 'r1', signal?: AbortSignal) =>
    await store.restoreInPlace!(backup, name, wayBack, signal);
  /** A pg_restore that is told what to do before, and about, the real one. */
  const withRestore = async (script: string): Promise<DataStore> => {
    const tools = await findClientTools(15, process.env);
    const bin = await mkdtemp(join(root, 'bin-'));
    for (const tool of ['pg_dump', 'pg_restore'])
      await writeFile(join(bin, tool), `#!/bin/sh\nexec ${join(tools.bin, tool)} "$@"\n`);
    await writeFile(
      join(bin, 'pg_restore'),
      `#!/bin/sh\nreal=${join(tools.bin, 'pg_restore')}\ncase "$*" in *--single-transaction*) ;; *) exec $real "$@" ;; esac\n${script}\n`,
    );
    for (const tool of ['pg_dump', 'pg_restore']) await chmod(join(bin, tool), 0o755);
    return open({ ...process.env, BACKSTAY_PG_BIN: bin });
  };

  beforeAll(async () => {
    server = await startTestPostgres();
    root = await mkdtemp(join(tmpdir(), 'backstay-in-place-'));
    // Who may make no database is whom this is for.
    await server.run(
      'postgres',
      `CREATE ROLE modest LOGIN NOCREATEDB PASSWORD '${server.password}'`,
      'GRANT CREATE ON DATABASE postgres TO modest',
    );
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });
  beforeEach(async () => {
    number += 1;
    database = `inplace${number}`;
    await server.run('postgres', `CREATE DATABASE ${database} OWNER modest`);
    await run(
      'SET SESSION AUTHORIZATION modest',
      'CREATE SCHEMA audit',
      'CREATE TABLE documents (id serial PRIMARY KEY, title text UNIQUE)',
      'CREATE TABLE audit.events (document int REFERENCES documents, what text)',
      'CREATE VIEW titles AS SELECT title FROM documents',
      `INSERT INTO documents (title) SELECT 'title ' || n FROM generate_series(1, 2000) AS n`,
      `INSERT INTO audit.events SELECT n, 'made' FROM generate_series(1, 2000) AS n`,
    );
    store = open();
  });

  /** Backup of then, damage, backup of now. */
  const twoBackups = async () => {
    const past = await contents();
    const backup = await store.backup();
    await run(
      'SET SESSION AUTHORIZATION modest',
      `UPDATE documents SET title = 'damaged ' || id WHERE id <= 500`,
      'DELETE FROM audit.events WHERE document > 1900',
      'CREATE TABLE later (id int)',
      'INSERT INTO later VALUES (1)',
    );
    const wayBack = await store.backup();
    return { past, backup, wayBack, now: await contents() };
  };

  it('is done once by two calls, and taken back', async () => {
    const { past, now, backup, wayBack } = await twoBackups();
    expect(await look(backup)).toEqual({ obstacles: [], stays: ['public.later'], wayBack: 'read' });
    expect(await store.stateOf('r1')).toBe('nothing');
    expect(await restore(backup, wayBack)).toMatchObject({ kept: `backup ${wayBack.manifest.id}` });
    expect(await contents()).toBe(past);
    expect(await store.stateOf('r1')).toBe('swapped');
    expect(await one('SELECT count(*) FROM later')).toBe('1');

    await run(`INSERT INTO documents (title) VALUES ('written since')`);
    const made = await oids();
    expect(await restore(backup, wayBack)).toEqual({ kept: `backup ${wayBack.manifest.id}`, unavailableMs: 0 });
    expect(await oids()).toBe(made);
    expect(await one(`SELECT count(*) FROM documents WHERE title = 'written since'`)).toBe('1');

    expect(await store.undoSwap('r1')).toMatchObject({ kept: `backup ${backup.manifest.id}` });
    expect(await contents()).toBe(now);
    expect(await store.stateOf('r1')).toBe('undone');
    expect(await store.undoSwap('r1')).toMatchObject({ unavailableMs: 0 });
    await expect(restore(backup, wayBack)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await contents()).toBe(now);
    expect(await store.finalize('r1')).toEqual([expect.stringMatching(/^schema .*_inplace$/)]);
    expect(await store.finalize('r1')).toEqual([]);
    expect(await store.stateOf('r1')).toBe('nothing');
  });

  it('is refused beforehand where something needs what would be dropped, or others own it', async () => {
    const { now, backup, wayBack } = await twoBackups();
    await run(
      'CREATE VIEW newest AS SELECT max(id) AS id FROM documents',
      'CREATE TABLE notes (document int REFERENCES documents)',
      'ALTER TABLE audit.events OWNER TO ada',
    );
    const before = await oids();
    const { obstacles } = await look(backup);
    expect(obstacles).toEqual([
      'table public.notes is not in the backup and needs table public.documents: drop it first, and make it again afterwards',
      'the user does not own table audit.events',
      'view public.newest is not in the backup and needs table public.documents: drop it first, and make it again afterwards',
    ]);
    await expect(restore(backup, wayBack)).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    expect([await contents(), await oids()]).toEqual([now, before]);
    expect(await store.stateOf('r1')).toBe('nothing');
    await run('DROP VIEW newest', 'DROP TABLE notes', 'ALTER TABLE audit.events OWNER TO modest');
    expect((await look(backup)).obstacles).toEqual([]);
  });

  it('waits for a lock no longer than any other statement, and says who has it', async () => {
    const { past, now, backup, wayBack } = await twoBackups();
    const before = await oids();
    const holder = new Client({
      ...server.connection(database),
      password: server.password,
      ssl: false,
      application_name: 'a long report',
    });
    await holder.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('LOCK TABLE documents IN ACCESS SHARE MODE');
      await expect(restore(backup, wayBack)).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringMatching(/lock_timeout.*a long report/),
      });
      expect([await contents(), await oids()]).toEqual([now, before]);
      expect(await store.stateOf('r1')).toBe('nothing');
      expect(await one(`SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%\\_inplace'`)).toBe('0');
    } finally {
      await holder.end();
    }
    await restore(backup, wayBack);
    expect(await contents()).toBe(past);
  });

  it('leaves live data as it was when pg_restore is killed in the middle of a table, and goes on afterwards', async () => {
    // Whoever fills the table waits for a lock that the test has.
    await run(
      'SET SESSION AUTHORIZATION modest',
      `CREATE FUNCTION held(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
         AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN true; END $$`,
      'ALTER TABLE audit.events ADD CHECK (public.held(what))',
    );
    const { past, now, backup, wayBack } = await twoBackups();
    const before = await oids();
    const { bin } = await findClientTools(15, process.env);
    const waiting = `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`;
    store = await withRestore(`$real "$@" & pid=$!
while kill -0 $pid && [ "$(${bin}/psql -AtX -d ${database} -c "${waiting}")" = 0 ]; do :; done
kill -9 $pid; wait $pid; exit 137`);
    const holder = new Client({ ...server.connection(database), password: server.password, ssl: false });
    await holder.connect();
    try {
      await holder.query('SELECT pg_advisory_lock(42)');
      await expect(restore(backup, wayBack)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    } finally {
      await holder.end();
    }
    expect([await contents(), await oids()]).toEqual([now, before]);
    expect(await store.stateOf('r1')).toBe('nothing');
    store = open();
    await restore(backup, wayBack);
    expect(await contents()).toBe(past);
  });

  it('believes the server and not the exit code', async () => {
    const { past, backup, wayBack } = await twoBackups();
    store = await withRestore('$real "$@"; exit 1');
    await restore(backup, wayBack);
    expect(await contents()).toBe(past);
    expect(await store.stateOf('r1')).toBe('swapped');
  });

  it('wants a way back that was proven, and stops when it is told to', async () => {
    const { now, backup, wayBack } = await twoBackups();
    await expect(restore(backup, backup)).rejects.toMatchObject({ code: 'BACKUP_UNPROVEN' });
    await expect(restore(backup, { ...wayBack, proofs: [] })).rejects.toMatchObject({ code: 'BACKUP_UNPROVEN' });
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    await expect(restore(backup, wayBack, 'r1', stop.signal)).rejects.toThrow('stopped');
    expect(await contents()).toBe(now);
  });

  it('ends what a killed process left at work, and waits until that is gone', async () => {
    const { past, backup, wayBack } = await twoBackups();
    const left = new Client({
      ...server.connection(database),
      user: 'modest',
      password: server.password,
      ssl: false,
      application_name: `backstay:0:${database}`,
    });
    const ended = new Promise((resolve) => left.on('error', resolve));
    await left.connect();
    await left.query('BEGIN');
    await left.query('DROP TABLE audit.events');
    await restore(backup, wayBack);
    await ended;
    expect(await contents()).toBe(past);
  });

  it('has its way back proven by a restore where the user may make databases', async () => {
    const backup = await store.backup();
    await server.run('postgres', 'ALTER ROLE modest CREATEDB');
    try {
      expect(await look(backup)).toMatchObject({ wayBack: 'restored' });
    } finally {
      await server.run('postgres', 'ALTER ROLE modest NOCREATEDB');
    }
  });

  it('that is not what was backed up is found, and can be taken back', async () => {
    const { now, backup, wayBack } = await twoBackups();
    const lying = {
      ...backup,
      manifest: { ...backup.manifest, rows: { ...backup.manifest.rows, 'public.documents': 1999 } },
    };
    await expect(restore(lying, wayBack)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    expect(await store.stateOf('r1')).toBe('swapped');
    await store.undoSwap('r1');
    expect(await contents()).toBe(now);
  });
});
