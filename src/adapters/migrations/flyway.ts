import type { KnownRevision, MigrationWay } from '../../model/index.ts';
import type { MigrationPlace, MigrationSql } from '../../ports/index.ts';
import { doneOf, type FlywayMigration, LOOK, lookedOf } from './flyway-answers.ts';
import { listScripts } from './runner.ts';
import { byVersion, quoted, runScripts, sameVersion, type ScriptStep, scriptText } from './scripts.ts';
import { ASK_MS, MIGRATE_MS, type MigrationTool, type ToolParts } from './tool.ts';
import { digested, refused, type Scripted, wayThrough } from './way.ts';

const TABLE = 'flyway_schema_history';

/** Flyway; and where its edition has no undo, the stack's own scripts, with the line in its history taken back by them. */
export function createFlyway({ setting, runner, database }: ToolParts): MigrationTool {
  const program = setting.command ?? ['flyway'];
  const table = setting.table ?? TABLE;
  const { undo } = setting;
  const run = async (words: readonly string[], where: MigrationPlace, timeoutMs: number, signal?: AbortSignal) =>
    await runner.run([...program, '-outputType=json', ...tableOptions(setting.table), ...words], {
      where,
      timeoutMs,
      program: program[0] ?? 'flyway',
      ...(signal === undefined ? {} : { signal }),
    });

  const applied = async (where: MigrationPlace): Promise<readonly string[]> => {
    const rows = await database.transaction(where, async (sql) => await history(sql, table));
    const failed = rows.filter(({ success }) => !success);
    if (failed.length === 0) return rows.map(({ version }) => version);
    throw refused(
      `Migration ${failed.map(({ version }) => version).join(', ')} failed before, and stands so in ${table}.`,
      {
        next: 'Put the schema right and run `flyway repair`, or restore a backup.',
      },
    );
  };
  const look = async (where: MigrationPlace) => {
    const there = await applied(where);
    const seen = lookedOf(await run(LOOK, where, ASK_MS));
    const { database: meant } = await database.address(where);
    // Flyway says what it has seen; the store itself must say the same.
    if (seen.database !== meant || !seen.migrations.every((one) => !one.applied || there.includes(one.version)))
      throw refused(
        `Flyway speaks of another database (${seen.database}) than the store (${meant}), or of another table.`,
        {
          next: 'Let the address come from the environment alone (FLYWAY_URL); name the table if it is another (migrations.table).',
        },
      );
    if (seen.unfit !== undefined)
      throw refused(`The history does not fit the scripts: ${seen.unfit}`, {
        next: 'Run the migrations of the version that made it, unchanged.',
      });
    return { migrations: seen.migrations, heads: there.slice(-1), files: await undoFiles(where) };
  };
  const undoFiles = async (where: MigrationPlace): Promise<readonly string[]> =>
    undo === undefined ? [] : await listScripts(runner, undo, where);
  const digestOf = async (path: string | undefined, where: MigrationPlace) => {
    if (path === undefined) return {};
    const cut = path.lastIndexOf('/');
    return { script: (await scriptText(runner, path.slice(0, cut), path.slice(cut + 1), where)).digest };
  };

  return {
    heads: async (where) => (await applied(where)).slice(-1),
    known: async (where) => {
      const { migrations, files } = await look(where);
      return chain(migrations, files).map(
        (one, at): KnownRevision => ({ ...one, applied: migrations[at]?.applied === true }),
      );
    },
    way: async (to, where) => {
      const { migrations, heads, files } = await look(where);
      const known = chain(migrations, files);
      const named = known.find(({ revision }) => to !== null && to !== '-1' && sameVersion(revision, to))?.revision;
      const way = wayThrough({ heads, known }, named ?? to);
      const steps = await Promise.all(
        way.steps.map(async (step): Promise<MigrationWay['steps'][number]> => {
          const { file, undoFile } = migrations.find(({ version }) => version === step.revision) ?? {};
          const own = undoScript(files, step.revision);
          const down = own === undefined ? undoFile : `${undo ?? ''}/${own}`;
          return { ...step, ...(await digestOf(way.direction === 'down' ? down : file, where)) };
        }),
      );
      return digested({ ...way, steps });
    },
    go: async ({ direction, to, steps }, where, signal) => {
      if (direction === 'up')
        return doneOf(await run([`-target=${to ?? ''}`, 'migrate'], where, MIGRATE_MS, signal), 'migrate');
      const files = await undoFiles(where);
      const own = steps.flatMap(({ revision }) => {
        const file = undoScript(files, revision);
        return file === undefined ? [] : [{ revision, file }];
      });
      if (undo !== undefined && own.length === steps.length) {
        const scripts = own.map(async ({ revision, file }): Promise<ScriptStep> => {
          const script = await scriptText(runner, undo, file, where);
          return { revision, file, script, record: async (sql) => await removeRow(sql, table, revision) };
        });
        return await runScripts(await Promise.all(scripts), database, where, signal);
      }
      const said: string[] = [];
      // Each takes the newest one back, whatever an edition means by a target.
      for (const { revision } of steps) {
        said.push(`undo of ${revision}`, doneOf(await run(['undo'], where, MIGRATE_MS, signal), 'undo'));
      }
      return said.join('\n');
    },
  };
}

function chain(migrations: readonly FlywayMigration[], files: readonly string[]): readonly Scripted[] {
  return migrations.map(({ version, title, undoable }, at) => ({
    revision: version,
    title,
    after: at === 0 ? [] : [migrations[at - 1]?.version ?? ''],
    reversible: undoable || undoScript(files, version) !== undefined,
  }));
}

/** `U2__name.sql` as Flyway calls it, or `V2__name.down.sql`. */
function undoScript(files: readonly string[], version: string): string | undefined {
  return files.find((file) => {
    const named = /^(?:U(?<own>[\d._]+)__.*\.sql|V(?<down>[\d._]+)__.*\.down\.sql)$/.exec(file)?.groups;
    const said = named?.['own'] ?? named?.['down'];
    return said !== undefined && sameVersion(said.replaceAll('_', '.'), version);
  });
}

interface HistoryRow {
  readonly version: string;
  readonly success: boolean;
}

/** The newest line of each version that says it is there, by version. */
async function history(sql: MigrationSql, table: string): Promise<readonly HistoryRow[]> {
  const [there] = await sql.query('SELECT to_regclass($1) IS NOT NULL AS yes', [quoted(table)]);
  if (there?.['yes'] !== true) return [];
  const rows = await sql.query(
    `SELECT DISTINCT ON (version) version, type, success FROM ${quoted(table)}
      WHERE version IS NOT NULL ORDER BY version, installed_rank DESC`,
  );
  return rows
    .filter(({ type }) => !/^(UNDO|DELETE)/.test(String(type)))
    .map(({ version, success }) => ({ version: String(version), success: success === true }))
    .toSorted((a, b) => byVersion(a.version, b.version));
}

async function removeRow(sql: MigrationSql, table: string, version: string): Promise<void> {
  await sql.query(`LOCK TABLE ${quoted(table)} IN ACCESS EXCLUSIVE MODE`);
  const newest = (await history(sql, table)).at(-1)?.version;
  if (newest !== version)
    throw refused(`${table} was changed meanwhile: it is at ${newest ?? 'nothing'}, not at ${version}.`, {
      next: 'Plan again.',
    });
  await sql.query(`DELETE FROM ${quoted(table)} WHERE version = $1`, [version]);
}

function tableOptions(table: string | undefined): readonly string[] {
  if (table === undefined) return [];
  const [name = table, schema] = table.split('.').toReversed();
  return [`-table=${name}`, ...(schema === undefined ? [] : [`-defaultSchema=${schema}`])];
}
