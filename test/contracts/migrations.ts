import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MigrationSetting, MigrationWay } from '../../src/model/index.ts';
import type { Exec, Migrations } from '../../src/ports/index.ts';
import { exampleOf, localExec, migrationsLike, type SettingLike } from '../support/migrations/index.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';

/** One migration tool with the example's three revisions: documents, their notes, tags. */
export interface MigrationsContract {
  readonly tool: MigrationSetting['tool'];
  /** Names of the revisions. */
  readonly ids: readonly [string, string, string];
  readonly setting: (folder: string) => Promise<Omit<SettingLike, 'tool'>>;
  /** Applies all three without the adapter, with what the tool keeps of them. */
  readonly apply: (server: TestPostgres, database: string, folder: string) => Promise<void>;
  /** Puts these statements before what the script of the revision does on the way down. */
  readonly spoil: (folder: string, at: 1 | 2 | 3, statement: string) => Promise<void>;
  /** Where a failing second step of a way leaves the schema: all or nothing, or step by step. */
  readonly leaves: 'third' | 'second';
  /** Stands in what one step down writes, be it in the password's place. */
  readonly says: string;
}

const TIME = 120_000;

interface Case {
  readonly database: string;
  readonly folder: string;
  readonly migrations: Migrations;
  /** The same with another word in the setting. */
  readonly with: (setting: Partial<MigrationSetting>, exec?: Exec) => Promise<Migrations>;
}

export function describeMigrations({ tool, ids, setting, apply, spoil, leaves, says }: MigrationsContract): void {
  const [first, second, third] = ids;

  describe(`migrations by ${tool}`, { timeout: TIME }, () => {
    let server: TestPostgres;
    let count = 0;
    const left: (() => Promise<void>)[] = [];

    beforeAll(async () => {
      server = await startTestPostgres();
      const example = await exampleOf(tool);
      const { folder } = example;
      left.push(async () => await example.remove());
      await server.run('postgres', 'CREATE DATABASE example');
      await apply(server, 'example', folder);
      await server.run(
        'example',
        `INSERT INTO documents SELECT n, 'title ' || n, CASE WHEN n % 2 = 0 THEN 'note ' || n END FROM generate_series(1, 20) n`,
        `INSERT INTO tags VALUES ('red'), ('green')`,
      );
    }, TIME);

    afterEach(async () => {
      for (const remove of left.splice(0)) await remove();
    });

    afterAll(async () => await server.stop());

    const fresh = async (): Promise<Case> => {
      const database = `app_${(count += 1)}`;
      await server.run('postgres', `CREATE DATABASE ${database} TEMPLATE example`);
      const example = await exampleOf(tool);
      const { folder } = example;
      left.push(async () => await example.remove());
      const own = { tool, ...(await setting(folder)) };
      const others: Case['with'] = async (other, exec) =>
        await Promise.resolve(
          migrationsLike({
            setting: { ...own, ...other },
            database,
            server,
            folder,
            ...(exec === undefined ? {} : { exec }),
          }),
        );
      return { database, folder, migrations: await others({}), with: others };
    };

    const columns = async (database: string): Promise<readonly string[]> => {
      const rows = await server.run(
        database,
        `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
          WHERE table_name IN ('documents', 'tags') ORDER BY 1`,
      );
      return rows.map(({ name }) => String(name));
    };
    const ALL = ['documents.id', 'documents.note', 'documents.title', 'tags.name'];
    const SECOND = ['documents.id', 'documents.note', 'documents.title'];
    const FIRST = ['documents.id', 'documents.title'];
    const standing = async (migrations: Migrations, database?: string): Promise<string | null> =>
      (await migrations.current(database === undefined ? {} : { database })).revision;
    const stepsOf = (way: MigrationWay): readonly string[] => way.steps.map(({ revision }) => revision);

    it('tells where the schema stands, and all that the scripts know', async () => {
      const { migrations } = await fresh();
      expect(await migrations.current()).toEqual({ store: 'main', tool, revision: third, heads: [third] });
      const known = await migrations.known();
      expect(known.map(({ revision, after, applied }) => ({ revision, after, applied }))).toEqual([
        { revision: first, after: [], applied: true },
        { revision: second, after: [first], applied: true },
        { revision: third, after: [second], applied: true },
      ]);
    });

    it('shows a way down without taking a step of it', async () => {
      const { migrations, database } = await fresh();
      const way = await migrations.wayTo(first);
      expect({ ...way, steps: stepsOf(way) }).toMatchObject({
        from: third,
        to: first,
        direction: 'down',
        steps: [third, second],
      });
      expect(way.steps.every(({ reversible }) => reversible)).toBe(true);
      expect(await migrations.wayTo(first)).toEqual(way);
      expect(await standing(migrations)).toBe(third);
      expect(await columns(database)).toEqual(ALL);
    });

    it('knows one back, the beginning, and where it is already', async () => {
      const { migrations } = await fresh();
      const back = await migrations.wayTo('-1');
      expect([back.to, stepsOf(back)]).toEqual([second, [third]]);
      const all = await migrations.wayTo(null);
      expect([all.to, stepsOf(all)]).toEqual([null, [third, second, first]]);
      const none = await migrations.wayTo(third);
      expect([none.direction, stepsOf(none)]).toEqual(['none', []]);
    });

    it('refuses a revision that nobody knows', async () => {
      const { migrations } = await fresh();
      await expect(migrations.wayTo('f00df00df00d')).rejects.toMatchObject({ code: 'MIGRATION_REFUSED' });
      expect(await standing(migrations)).toBe(third);
    });

    it('goes down once, however often it is told to', async () => {
      const { migrations, database } = await fresh();
      const way = await migrations.wayTo(first);
      const done = await migrations.migrate(way);
      expect(done.revision).toMatchObject({ revision: first, heads: [first] });
      expect(await columns(database)).toEqual(FIRST);
      const rows = await server.run(database, 'SELECT count(*)::int AS rows, max(title) AS last FROM documents');
      expect(rows).toEqual([{ rows: 20, last: 'title 9' }]);
      const again = await migrations.migrate(way);
      expect([again.revision.revision, again.output]).toEqual([first, '']);
      expect(await columns(database)).toEqual(FIRST);
    });

    it('goes down to the beginning', async () => {
      const { migrations, database } = await fresh();
      const { revision } = await migrations.migrate(await migrations.wayTo(null));
      expect(revision).toMatchObject({ revision: null, heads: [] });
      expect(await columns(database)).toEqual([]);
    });

    it('goes up again', async () => {
      const { migrations, database } = await fresh();
      await migrations.migrate(await migrations.wayTo(first));
      const way = await migrations.wayTo(third);
      expect([way.direction, stepsOf(way)]).toEqual(['up', [second, third]]);
      await migrations.migrate(way);
      expect(await standing(migrations)).toBe(third);
      expect(await columns(database)).toEqual(ALL);
    });

    it('goes down in another database of the server, and leaves the live one alone', async () => {
      const { migrations, database } = await fresh();
      const beside = `${database}__bs_trial`;
      await server.run('postgres', `CREATE DATABASE "${beside}" TEMPLATE ${database}`);
      const way = await migrations.wayTo(second, { database: beside });
      await migrations.migrate(way, { database: beside });
      expect(await standing(migrations, beside)).toBe(second);
      expect(await columns(beside)).toEqual(SECOND);
      expect(await standing(migrations)).toBe(third);
      expect(await columns(database)).toEqual(ALL);
      // What was rehearsed is what is done.
      expect(await migrations.wayTo(second)).toEqual(way);
    });

    it('marks what the stack file calls irreversible, and does not go through it', async () => {
      const { database, with: like } = await fresh();
      const migrations = await like({ irreversible: [second] });
      const way = await migrations.wayTo(first);
      expect(way.steps.map(({ revision, reversible }) => [revision, reversible])).toEqual([
        [third, true],
        [second, false],
      ]);
      await expect(migrations.migrate(way)).rejects.toMatchObject({
        code: 'MIGRATION_REFUSED',
        message: expect.stringContaining(second) as string,
      });
      expect(await columns(database)).toEqual(ALL);
      await migrations.migrate(await migrations.wayTo(second));
      expect(await standing(migrations)).toBe(second);
    });

    it('stops where a step fails, says where that is, and goes on with what is mended', async () => {
      const { migrations, database, folder } = await fresh();
      await spoil(folder, 2, 'SELECT 1 / 0');
      const way = await migrations.wayTo(first);
      const stands = leaves === 'third' ? third : second;
      const error: unknown = await migrations.migrate(way).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: 'MIGRATION_FAILED',
        message: expect.stringContaining(`stands at ${stands}`) as string,
        details: { revision: stands },
      });
      expect(JSON.stringify(error)).not.toContain(server.password);
      expect(await columns(database)).toEqual(leaves === 'third' ? ALL : SECOND);
      expect(await server.run(database, 'SELECT count(note)::int AS notes FROM documents')).toEqual([{ notes: 10 }]);
      // From the middle of a way the same way still leads on, to the same end.
      await expect(migrations.migrate(way)).rejects.toMatchObject({ code: 'MIGRATION_FAILED' });
      expect(await standing(migrations)).toBe(stands);
    });

    it('does not take a way whose scripts were changed after it was shown', async () => {
      const { migrations, database, folder } = await fresh();
      const way = await migrations.wayTo(second);
      await spoil(folder, 3, 'DELETE FROM documents');
      await expect(migrations.migrate(way)).rejects.toMatchObject({ code: 'MIGRATION_REFUSED' });
      expect(await columns(database)).toEqual(ALL);
      expect(await server.run(database, 'SELECT count(*)::int AS rows FROM documents')).toEqual([{ rows: 20 }]);
    });

    it('waits two seconds for a lock and no longer, and names who holds it', async () => {
      const { migrations, database } = await fresh();
      const way = await migrations.wayTo(second);
      const other = new Client({ ...server.connection(database), password: server.password, application_name: 'shop' });
      await other.connect();
      try {
        await other.query('BEGIN');
        await other.query('SELECT * FROM tags');
        const error: unknown = await migrations.migrate(way).catch((reason: unknown) => reason);
        expect(error).toMatchObject({
          code: 'MIGRATION_FAILED',
          message: expect.stringMatching(/shop/) as string,
          details: { revision: third },
        });
      } finally {
        await other.end();
      }
      expect(await columns(database)).toEqual(ALL);
      await migrations.migrate(way);
      expect(await standing(migrations)).toBe(second);
    });

    it('ends what a killed attempt left at work, before it begins', async () => {
      const { migrations, database } = await fresh();
      const orphan = new Client({
        ...server.connection(database),
        password: server.password,
        application_name: 'backstay-migrate',
      });
      const ended = new Promise((resolve) => orphan.on('error', resolve));
      await orphan.connect();
      await orphan.query('BEGIN');
      await orphan.query('LOCK TABLE tags');
      await migrations.migrate(await migrations.wayTo(second));
      await ended;
      expect(await columns(database)).toEqual(SECOND);
    });

    it('leaves nothing behind when it is stopped in the middle of a step', async () => {
      const { migrations, database, folder } = await fresh();
      await spoil(folder, 3, 'SELECT pg_sleep(100)');
      const way = await migrations.wayTo(second);
      const stop = new AbortController();
      const state = { isOver: false };
      const going = migrations
        .migrate(way, { signal: stop.signal })
        .catch((reason: unknown) => reason)
        .finally(() => {
          state.isOver = true;
        });
      const asleep = `SELECT pid FROM pg_stat_activity WHERE datname = '${database}' AND wait_event = 'PgSleep'`;
      while (!state.isOver && (await server.run('postgres', asleep)).length === 0)
        await new Promise((resolve) => setTimeout(resolve, 50));
      stop.abort(new TypeError('enough'));
      expect(await going).toEqual(new TypeError('enough'));
      expect(await server.run('postgres', asleep)).toEqual([]);
      expect(await standing(migrations)).toBe(third);
      expect(await columns(database)).toEqual(ALL);
    });

    it('tells the password in the environment alone, and shows it nowhere', async () => {
      const { with: like } = await fresh();
      const calls: { readonly argv: string; readonly env: string }[] = [];
      const real = localExec();
      const spy: Exec = {
        run: async (command, options) => {
          calls.push({ argv: command.join(' '), env: JSON.stringify(options.env) });
          return await real.run(command, options);
        },
      };
      const migrations = await like({}, spy);
      const { output } = await migrations.migrate(await migrations.wayTo(second));
      expect(calls.length).toBeGreaterThan(0);
      expect(calls.filter(({ argv }) => argv.includes(server.password))).toEqual([]);
      expect(calls.every(({ env }) => env.includes(server.password))).toBe(true);
      expect(output).not.toContain(server.password);
      expect(output).toContain(says);
    });
  });
}
