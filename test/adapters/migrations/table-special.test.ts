import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pairsOf, sameVersion } from '../../../src/adapters/migrations/scripts.ts';
import type { MigrationSetting } from '../../../src/model/index.ts';
import type { Migrations } from '../../../src/ports/index.ts';
import { exampleOf, migrationsLike } from '../../support/migrations/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

const FORMS = {
  newest: 'CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)',
  rows: 'CREATE TABLE schema_migrations (version text PRIMARY KEY)',
} as const;

describe('a table of revisions', { timeout: 60_000 }, () => {
  let server: TestPostgres;
  let folder: string;
  let remove: () => Promise<void>;
  let count = 0;

  beforeAll(async () => {
    server = await startTestPostgres();
  }, 120_000);
  afterEach(async () => await remove());
  afterAll(async () => await server.stop());

  const fresh = async (
    statements: readonly string[],
    more: Partial<MigrationSetting> = {},
  ): Promise<{ migrations: Migrations; database: string }> => {
    const example = await exampleOf('table');
    folder = example.folder;
    remove = async () => await example.remove();
    const database = `app_${(count += 1)}`;
    await server.run('postgres', `CREATE DATABASE ${database}`);
    await server.run(
      database,
      'CREATE TABLE documents (id integer PRIMARY KEY, title text, note text)',
      'CREATE TABLE tags (name text)',
      ...statements,
    );
    return { migrations: migrationsLike({ setting: { tool: 'table', ...more }, database, server, folder }), database };
  };
  const versions = async (database: string, table = 'schema_migrations') =>
    await server.run(database, `SELECT * FROM ${table} ORDER BY version`);

  it('may hold the newest alone, as golang-migrate writes it', async () => {
    const { migrations, database } = await fresh([FORMS.newest, 'INSERT INTO schema_migrations VALUES (3, false)']);
    expect(await migrations.current()).toMatchObject({ revision: '0003_tags' });
    await migrations.migrate(await migrations.wayTo('1'));
    expect(await versions(database)).toEqual([{ version: '1', dirty: false }]);
    await migrations.migrate(await migrations.wayTo(null));
    expect(await versions(database)).toEqual([]);
    await migrations.migrate(await migrations.wayTo('0002_notes'));
    expect(await versions(database)).toEqual([{ version: '2', dirty: false }]);
  });

  it('is refused while it says dirty', async () => {
    const { migrations } = await fresh([FORMS.newest, 'INSERT INTO schema_migrations VALUES (3, true)']);
    await expect(migrations.current()).rejects.toMatchObject({
      code: 'MIGRATION_REFUSED',
      message: expect.stringContaining('dirty') as string,
    });
  });

  it.each([
    ['whole names', `('0001_documents'), ('0002_notes')`, ['0001_documents', '0002_notes', '0003_tags']],
    ['digits', `('0001'), ('0002')`, ['0001', '0002', '0003']],
    ['plain numbers', `('1'), ('2')`, ['1', '2', '3']],
  ])('may hold all of them by %s', async (_what, rows, after) => {
    const { migrations, database } = await fresh([
      FORMS.rows,
      'DROP TABLE tags',
      `INSERT INTO schema_migrations VALUES ${rows}`,
    ]);
    expect(await migrations.current()).toMatchObject({ revision: '0002_notes' });
    await migrations.migrate(await migrations.wayTo('0003_tags'));
    expect((await versions(database)).map(({ version }) => version)).toEqual(after);
    await migrations.migrate(await migrations.wayTo('-1'));
    expect(await versions(database)).toHaveLength(2);
  });

  it('is made where there is none yet', async () => {
    const { migrations, database } = await fresh(['DROP TABLE documents, tags']);
    expect(await migrations.current()).toMatchObject({ revision: null });
    await migrations.migrate(await migrations.wayTo('0003_tags'));
    expect((await versions(database)).map(({ version }) => version)).toEqual(['0001', '0002', '0003']);
  });

  it('may be another table, in another schema', async () => {
    const { migrations, database } = await fresh(
      [
        'CREATE SCHEMA meta',
        'CREATE TABLE meta.done (version text)',
        `INSERT INTO meta.done VALUES ('1'), ('2'), ('3')`,
      ],
      { table: 'meta.done' },
    );
    await migrations.migrate(await migrations.wayTo('1'));
    expect(await versions(database, 'meta.done')).toEqual([{ version: '1' }]);
  });

  it('is refused where a revision in the middle was never applied', async () => {
    const { migrations } = await fresh([FORMS.rows, `INSERT INTO schema_migrations VALUES ('1'), ('3')`]);
    await expect(migrations.wayTo('1')).rejects.toMatchObject({
      code: 'MIGRATION_REFUSED',
      message: expect.stringContaining('0002_notes was never applied') as string,
    });
  });

  it('is refused where two scripts have one version', async () => {
    const { migrations } = await fresh([FORMS.rows, `INSERT INTO schema_migrations VALUES ('1')`]);
    await writeFile(join(folder, '1_again.up.sql'), 'SELECT 1');
    await expect(migrations.wayTo(null)).rejects.toMatchObject({ code: 'MIGRATION_REFUSED' });
  });

  it('is not gone down from where there is no script for it', async () => {
    const { migrations, database } = await fresh([
      FORMS.rows,
      `INSERT INTO schema_migrations VALUES ('1'), ('2'), ('3'), ('4')`,
    ]);
    await writeFile(join(folder, '0004_more.up.sql'), 'SELECT 1');
    const way = await migrations.wayTo('1');
    expect(way.steps.map(({ reversible }) => reversible)).toEqual([false, true, true]);
    await expect(migrations.migrate(way)).rejects.toMatchObject({ code: 'MIGRATION_REFUSED' });
    expect(await versions(database)).toHaveLength(4);
  });

  it('never takes a script that ends its transaction in the middle', async () => {
    const { migrations, database } = await fresh([
      FORMS.rows,
      `INSERT INTO schema_migrations VALUES ('1'), ('2'), ('3')`,
    ]);
    await writeFile(join(folder, '0002_notes.down.sql'), 'ALTER TABLE documents DROP COLUMN note; COMMIT; SELECT 1;');
    await expect(migrations.migrate(await migrations.wayTo('1'))).rejects.toMatchObject({
      code: 'MIGRATION_REFUSED',
      message: expect.stringContaining('0002_notes.down.sql') as string,
    });
    // Not even the step before it: all of them are looked at first.
    expect(await versions(database)).toHaveLength(3);
  });

  it('is told of a folder that is not there', async () => {
    const { migrations } = await fresh([FORMS.rows], { undo: '/nowhere/at/all' });
    await expect(migrations.known()).rejects.toMatchObject({
      code: 'MIGRATION_REFUSED',
      message: expect.stringContaining('/nowhere/at/all') as string,
    });
  });
});

describe('scripts by their names', () => {
  it('are in the order of their versions, not of their letters', () => {
    const files = ['10_j.up.sql', '9_i.down.sql', '9_i.up.sql', 'README.md', '2024.1_x.up.sql', '10_j.down.sql'];
    expect(
      pairsOf(files).map(({ name, version, up, down }) => [name, version, up !== undefined, down !== undefined]),
    ).toEqual([
      ['9_i', '9', true, true],
      ['10_j', '10', true, true],
      ['2024.1_x', '2024.1', true, false],
    ]);
  });

  it.each([
    ['3', '0003', true],
    ['1.02', '1.2', true],
    ['30', '3', false],
    ['0', '00', true],
    ['a_01', 'a_1', true],
    ['add_notes', 'add_note', false],
  ])('%s and %s are one version: %s', (left, right, same) => {
    expect(sameVersion(left, right)).toBe(same);
  });
});
