import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MigrationSetting } from '../../../src/model/index.ts';
import type { Migrations } from '../../../src/ports/index.ts';
import { findFlyway } from '../../../src/toolchain/flyway.ts';
import { exampleOf, migrationsLike } from '../../support/migrations/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

describe('flyway', { timeout: 120_000 }, () => {
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
    more: (folder: string) => Partial<MigrationSetting> = () => ({}),
  ): Promise<{ migrations: Migrations; database: string }> => {
    const example = await exampleOf('flyway');
    folder = example.folder;
    remove = async () => await example.remove();
    const database = `app_${(count += 1)}`;
    await server.run('postgres', `CREATE DATABASE ${database}`);
    const command = [await findFlyway(), '-locations=filesystem:sql'];
    const setting = { tool: 'flyway' as const, command, ...more(folder) };
    const migrations = migrationsLike({ setting, database, server, folder });
    await migrations.migrate(await migrations.wayTo('3'));
    return { migrations, database };
  };

  it('cannot go down in this edition without scripts of the stack', async () => {
    const { migrations } = await fresh();
    const way = await migrations.wayTo('2');
    expect(way.steps).toEqual([expect.objectContaining({ revision: '3', title: 'tags', reversible: false })]);
    await expect(migrations.migrate(way)).rejects.toMatchObject({ code: 'MIGRATION_REFUSED' });
    expect(await migrations.current()).toMatchObject({ revision: '3' });
  });

  it('is refused where its history does not fit the scripts, which its exit code hides', async () => {
    const { migrations } = await fresh((at) => ({ undo: join(at, 'undo') }));
    await appendFile(join(folder, 'sql', 'V2__notes.sql'), '-- changed\n');
    await expect(migrations.wayTo('2')).rejects.toMatchObject({
      code: 'MIGRATION_REFUSED',
      message: expect.stringContaining('checksum mismatch for migration version 2') as string,
    });
  });

  it('is refused where a script that was applied is gone, or failed', async () => {
    const { migrations, database } = await fresh((at) => ({ undo: join(at, 'undo') }));
    await rm(join(folder, 'sql', 'V3__tags.sql'));
    await expect(migrations.wayTo('2')).rejects.toMatchObject({ code: 'MIGRATION_REFUSED' });
    await server.run(database, `UPDATE flyway_schema_history SET success = false WHERE version = '3'`);
    await expect(migrations.current()).rejects.toMatchObject({
      code: 'MIGRATION_REFUSED',
      message: expect.stringContaining('Migration 3 failed before') as string,
    });
  });

  it('keeps its history in another table, and reaches the beginning', async () => {
    const { migrations, database } = await fresh((at) => ({ undo: join(at, 'undo'), table: 'own_history' }));
    await migrations.migrate(await migrations.wayTo(null));
    const rows = await server.run(database, 'SELECT count(*)::int AS rows FROM own_history WHERE version IS NOT NULL');
    expect(rows).toEqual([{ rows: 0 }]);
    // Flyway itself finds nothing amiss, and begins anew.
    await migrations.migrate(await migrations.wayTo('1'));
    expect(await migrations.current()).toMatchObject({ revision: '1' });
  });
});
