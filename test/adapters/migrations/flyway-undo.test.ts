import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Migrations } from '../../../src/ports/index.ts';
import { findFlyway } from '../../../src/toolchain/flyway.ts';
import { exampleOf, migrationsLike } from '../../support/migrations/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

const FAKE = fileURLToPath(new URL('../../support/fake-flyway.mjs', import.meta.url));

/** The open edition on a real server, with a stand-in for the `undo` that is paid for: see fake-flyway.mjs. */
describe('flyway with an undo of its own', { timeout: 180_000 }, () => {
  let server: TestPostgres;
  let migrations: Migrations;
  let folder: string;
  let database: string;
  let remove: () => Promise<void>;
  let count = 0;

  const tables = async (): Promise<unknown> =>
    await server.run(
      database,
      `SELECT table_name::text AS name FROM information_schema.tables
        WHERE table_schema = 'public' AND table_name <> 'flyway_schema_history' ORDER BY 1`,
    );
  const history = async (): Promise<readonly unknown[]> =>
    (
      await server.run(
        database,
        'SELECT version, type FROM flyway_schema_history WHERE version IS NOT NULL ORDER BY installed_rank',
      )
    ).map(({ version, type }) => `${String(type)} ${String(version)}`);
  const undoScript = async (name: string, text: string): Promise<void> =>
    await writeFile(join(folder, 'sql', `U${name}.sql`), text);

  beforeAll(async () => {
    server = await startTestPostgres();
  }, 60_000);
  beforeEach(async () => {
    const example = await exampleOf('flyway');
    ({ folder } = example);
    remove = async () => await example.remove();
    await undoScript('3__tags', 'DROP TABLE tags');
    await undoScript('2__notes', 'ALTER TABLE documents DROP COLUMN note');
    database = `app_${(count += 1)}`;
    await server.run('postgres', `CREATE DATABASE ${database}`);
    const command = [process.execPath, FAKE, await findFlyway(), '-locations=filesystem:sql'];
    migrations = migrationsLike({ setting: { tool: 'flyway', command }, database, server, folder });
    await migrations.migrate(await migrations.wayTo('3'));
  }, 180_000);
  afterEach(async () => await remove());
  afterAll(async () => await server.stop());

  it('goes down a step at a time by it, each with a digest of its script, and up again', async () => {
    const way = await migrations.wayTo('1');
    expect(way).toMatchObject({
      direction: 'down',
      steps: [
        { revision: '3', reversible: true, script: expect.stringMatching(/^sha256:/) as string },
        { revision: '2', reversible: true, script: expect.stringMatching(/^sha256:/) as string },
      ],
    });
    await migrations.migrate(way);
    expect(await migrations.current()).toMatchObject({ revision: '1', heads: ['1'] });
    expect(await tables()).toEqual([{ name: 'documents' }]);
    // The lines of what was undone stay, as this edition leaves them.
    expect(await history()).toEqual(['SQL 1', 'SQL 2', 'SQL 3', 'UNDO_SQL 3', 'UNDO_SQL 2']);
    // Told twice, it goes once.
    await migrations.migrate(way);
    expect(await history()).toHaveLength(5);

    await migrations.migrate(await migrations.wayTo('3'));
    expect(await migrations.current()).toMatchObject({ revision: '3' });
    expect(await tables()).toEqual([{ name: 'documents' }, { name: 'tags' }]);
  });

  it('is refused where a script on the way is not the one that was shown, or is none', async () => {
    const way = await migrations.wayTo('2');
    await undoScript('3__tags', 'DROP TABLE tags; DROP TABLE documents');
    await expect(migrations.migrate(way)).rejects.toMatchObject({ code: 'MIGRATION_REFUSED' });
    expect(await migrations.wayTo(null)).toMatchObject({
      steps: [{ reversible: true }, { reversible: true }, { revision: '1', reversible: false }],
    });
    expect(await migrations.current()).toMatchObject({ revision: '3' });
    expect(await history()).toEqual(['SQL 1', 'SQL 2', 'SQL 3']);
  });

  it('says what an undo failed of, and where the schema stands then', async () => {
    await undoScript('2__notes', 'ALTER TABLE documents DROP COLUMN nothing_of_the_kind');
    await expect(migrations.migrate(await migrations.wayTo('1'))).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('nothing_of_the_kind') as string,
    });
    // The step before it was whole.
    expect(await migrations.current()).toMatchObject({ revision: '2' });
    expect(await tables()).toEqual([{ name: 'documents' }]);
  });
});
