import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MigrationSetting } from '../../../src/model/index.ts';
import type { Migrations } from '../../../src/ports/index.ts';
import { findAlembic } from '../../../src/toolchain/alembic.ts';
import { exampleOf, migrationsLike } from '../../support/migrations/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

const [FIRST, SECOND, THIRD] = ['a1d0c5000001', 'b2d0c5000002', 'c3d0c5000003'];

describe('alembic', { timeout: 120_000 }, () => {
  let server: TestPostgres;
  let folder: string;
  let remove: () => Promise<void>;
  let count = 0;

  beforeAll(async () => {
    server = await startTestPostgres();
  }, 120_000);
  afterEach(async () => await remove());
  afterAll(async () => await server.stop());

  const fresh = async (more: Partial<MigrationSetting> = {}): Promise<{ migrations: Migrations; database: string }> => {
    const example = await exampleOf('alembic');
    folder = example.folder;
    remove = async () => await example.remove();
    const database = `app_${(count += 1)}`;
    await server.run('postgres', `CREATE DATABASE ${database}`);
    const command = [await findAlembic()];
    const setting = { tool: 'alembic' as const, command, urlScheme: 'postgresql+psycopg', ...more };
    return { migrations: migrationsLike({ setting, database, server, folder }), database };
  };
  const script = async (name: string, text: string): Promise<void> =>
    await writeFile(join(folder, 'versions', `${name}.py`), text);

  it('stands at nothing in an empty database, and leaves it empty', async () => {
    const { migrations, database } = await fresh();
    expect(await migrations.current()).toMatchObject({ revision: null, heads: [] });
    expect((await migrations.known()).map(({ applied }) => applied)).toEqual([false, false, false]);
    expect(await server.run(database, `SELECT 1 FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);
  });

  it('goes nowhere from two heads, and names both', async () => {
    const { migrations, database } = await fresh();
    await script(
      '3_other',
      `"""other"""\nrevision = "d4d0c5000004"\ndown_revision = "${SECOND}"\ndef upgrade():\n    pass\ndef downgrade():\n    pass\n`,
    );
    await migrations.migrate(await migrations.wayTo(THIRD));
    await server.run(database, `INSERT INTO alembic_version VALUES ('d4d0c5000004')`);
    expect(await migrations.current()).toMatchObject({ heads: [THIRD, 'd4d0c5000004'] });
    await expect(migrations.wayTo(FIRST)).rejects.toMatchObject({
      code: 'MIGRATION_REFUSED',
      message: expect.stringContaining(`${THIRD}, d4d0c5000004`) as string,
    });
  });

  it('sees what its author does not take back', async () => {
    const { migrations } = await fresh();
    const file = join(folder, 'versions', '2_notes.py');
    const text = await readFile(file, 'utf8');
    const ways = async (body: string): Promise<boolean | undefined> => {
      await writeFile(file, `${text.slice(0, text.indexOf('def downgrade'))}${body}`);
      return (await migrations.known()).find(({ revision }) => revision === SECOND)?.reversible;
    };
    expect(await ways('def downgrade():\n    op.drop_column("documents", "note")\n')).toBe(true);
    expect(
      await ways('def downgrade():\n    """No."""\n    raise NotImplementedError("the notes would be lost")\n'),
    ).toBe(false);
    expect(await ways('def downgrade():\n    pass\n')).toBe(false);
    expect(await ways('')).toBe(false);
    expect(await ways('irreversible = True\ndef downgrade():\n    op.drop_column("documents", "note")\n')).toBe(false);
  });

  it('is refused when it speaks of another database than the store', async () => {
    const { migrations } = await fresh();
    await server.run('postgres', 'CREATE DATABASE elsewhere');
    const file = join(folder, 'env.py');
    const url = `postgresql+psycopg://ada:${server.password}@127.0.0.1:${server.port}/elsewhere`;
    await writeFile(file, (await readFile(file, 'utf8')).replace('os.environ["DATABASE_URL"]', `"${url}"`));
    const error: unknown = await migrations.current().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'MIGRATION_REFUSED',
      message: expect.stringContaining('(elsewhere, number') as string,
    });
  });

  it('does without statements where env.py has no offline mode: the scripts themselves are compared', async () => {
    const { migrations } = await fresh();
    const file = join(folder, 'env.py');
    await writeFile(
      file,
      (await readFile(file, 'utf8')).replace(
        'context.configure(url=url, literal_binds=True)',
        'raise SystemExit("never offline")',
      ),
    );
    const way = await migrations.wayTo(SECOND);
    expect(way.steps.map(({ revision }) => revision)).toEqual([FIRST, SECOND]);
    await script(
      '2_notes',
      (await readFile(join(folder, 'versions', '2_notes.py'), 'utf8')).replace('sa.Text', 'sa.Integer'),
    );
    await expect(migrations.migrate(way)).rejects.toMatchObject({ code: 'MIGRATION_REFUSED' });
  });

  it('takes options of its own, and a folder beside', async () => {
    const command = [await findAlembic(), '-c', 'settings/other.ini'];
    const { migrations } = await fresh({ command });
    await mkdir(join(folder, 'settings'));
    await rename(join(folder, 'alembic.ini'), join(folder, 'settings', 'other.ini'));
    const ini = join(folder, 'settings', 'other.ini');
    await writeFile(ini, (await readFile(ini, 'utf8')).replace('%(here)s', '%(here)s/..'));
    const { revision } = await migrations.migrate(await migrations.wayTo('b2d0'));
    expect(revision.revision).toBe(SECOND);
  });

  it('says that it is missing, and what env.py said, and hides what that must not say', async () => {
    const { migrations: missing } = await fresh({ command: ['/nowhere/alembic'] });
    await expect(missing.current()).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      message: expect.stringContaining('/nowhere/alembic') as string,
    });
    await remove();
    const { migrations } = await fresh();
    await writeFile(
      join(folder, 'env.py'),
      'import os\nraise RuntimeError("cannot use " + os.environ["DATABASE_URL"])\n',
    );
    const error: unknown = await migrations.current().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('RuntimeError: cannot use postgresql+psycopg://ada:[hidden]@') as string,
    });
    expect(JSON.stringify(error)).not.toContain(server.password);
  });

  it('is not a command in which nobody finds its Python', async () => {
    await expect(fresh({ command: ['python3', '-m', 'alembic'] })).rejects.toMatchObject({ code: 'MIGRATION_REFUSED' });
  });
});
