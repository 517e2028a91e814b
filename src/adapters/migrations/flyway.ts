import { z } from 'zod';
import { BackstayError } from '../../errors/index.ts';
import type { KnownRevision } from '../../model/index.ts';
import type { MigrationPlace, MigrationSql } from '../../ports/index.ts';
import { lastLine, readable } from './output.ts';
import { listScripts, type RunResult } from './runner.ts';
import { byVersion, quoted, runScripts, sameVersion, type ScriptStep, scriptText } from './scripts.ts';
import { ASK_MS, MIGRATE_MS, type MigrationTool, type ToolParts } from './tool.ts';
import { digested, refused, type Scripted, wayThrough } from './way.ts';

const TABLE = 'flyway_schema_history';
/** Of an edition that lacks what was asked. */
const OTHER_EDITION = 35;

const migration = z.object({
  category: z.string(),
  version: z.string().nullish(),
  description: z.string().nullish(),
  state: z.string(),
  installedOnUTC: z.string().nullish(),
  undoable: z.string().nullish(),
  filepath: z.string().nullish(),
});

const info = z.object({ database: z.string().nullish(), migrations: z.array(migration) });
const validation = z.object({ validationSuccessful: z.boolean(), allErrorMessages: z.string().nullish() });
const ended = z.object({ warnings: z.array(z.unknown()).optional() });
const failure = z.object({ error: z.object({ errorCode: z.string().nullish(), message: z.string().nullish() }) });

type Migration = z.output<typeof migration> & { readonly version: string };

/** Flyway by its JSON, for its exit codes lie: `validate` ends with 0 where nothing fits. */
export function createFlyway({ setting, runner, database }: ToolParts): MigrationTool {
  const program = setting.command ?? ['flyway'];
  const table = setting.table ?? TABLE;
  const { undo } = setting;

  const run = async <T>(
    schema: z.ZodType<T>,
    words: readonly string[],
    where: MigrationPlace,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal } = { timeoutMs: ASK_MS },
  ): Promise<{ readonly answer: T; readonly output: string }> => {
    const argv = [...program, '-outputType=json', ...tableOptions(setting.table), ...words];
    return answerOf(schema, await runner.run(argv, { where, ...options, program: program[0] ?? 'flyway' }), words);
  };
  const history = async (where: MigrationPlace): Promise<readonly Migration[]> => {
    const { answer } = await run(info, ['info'], where);
    const all = answer.migrations.filter(
      (one): one is Migration => one.category !== 'Repeatable' && (one.version ?? '') !== '',
    );
    const failed = all.filter(({ state }) => /^failed/i.test(state));
    if (failed.length > 0)
      throw refused(
        `Migration ${failed.map(({ version }) => version).join(', ')} failed before, and stands so in ${table}.`,
        {
          next: 'Put the schema right and run `flyway repair`, or restore a backup.',
        },
      );
    await assertSame(answer.database ?? '', all, where);
    return all.toSorted((a, b) => byVersion(a.version, b.version));
  };
  /** Flyway says what it has seen; the store itself must say the same. */
  const assertSame = async (named: string, all: readonly Migration[], where: MigrationPlace): Promise<void> => {
    const { database: meant } = await database.address(where);
    const there = await database.transaction(where, async (sql) => await installed(sql, table));
    const seen = all.filter(isApplied).map(({ version }) => version);
    if (named === meant && seen.every((one) => there.includes(one))) return;
    throw refused(
      named === meant
        ? `Flyway tells of ${seen.join(', ')}, and ${table} of ${meant} holds ${there.join(', ') || 'nothing'}.`
        : `Flyway speaks of database ${named}, not of ${meant}.`,
      {
        next: 'Let the address come from the environment alone (FLYWAY_URL), and name the table if it is another (migrations.table).',
      },
    );
  };
  const undoFile = (files: readonly string[], version: string): string | undefined =>
    files.find((file) => {
      const named = /^(?:U(?<own>[\d._]+)__.*\.sql|V(?<down>[\d._]+)__.*\.down\.sql)$/.exec(file)?.groups;
      const said = named?.['own'] ?? named?.['down'];
      return said !== undefined && sameVersion(said.replaceAll('_', '.'), version);
    });
  const line = async (where: MigrationPlace) => {
    const [all, files] = await Promise.all([
      history(where),
      undo === undefined ? [] : listScripts(runner, undo, where),
    ]);
    const known = all.map((one, at): Scripted & { readonly file?: string } => {
      const file = undoFile(files, one.version);
      return {
        revision: one.version,
        title: one.description ?? '',
        after: at === 0 ? [] : [all[at - 1]?.version ?? ''],
        reversible: file !== undefined || one.undoable?.toLowerCase() === 'yes',
        ...(file === undefined ? {} : { file }),
      };
    });
    const applied = all.filter(isApplied).map(({ version }) => version);
    return { known, applied, heads: applied.slice(-1) };
  };
  const removeRow =
    (version: string): ScriptStep['record'] =>
    async (sql) => {
      await sql.query(`LOCK TABLE ${quoted(table)} IN ACCESS EXCLUSIVE MODE`);
      const newest = (await installed(sql, table)).toSorted(byVersion).at(-1);
      if (newest !== version)
        throw refused(`${table} was changed meanwhile: it is at ${newest ?? 'nothing'}, not at ${version}.`, {
          next: 'Plan again.',
        });
      await sql.query(`DELETE FROM ${quoted(table)} WHERE version = $1`, [version]);
    };

  return {
    heads: async (where) =>
      (await history(where))
        .filter(isApplied)
        .slice(-1)
        .map(({ version }) => version),
    known: async (where) => {
      const { known, applied } = await line(where);
      return known.map(
        ({ revision, title, after, reversible }): KnownRevision => ({
          revision,
          title,
          after,
          reversible,
          applied: applied.includes(revision),
        }),
      );
    },
    way: async (to, where) => {
      const { known, heads } = await line(where);
      // What is applied must be what the scripts are; what is not applied yet is no fault here.
      const { answer } = await run(validation, ['-ignoreMigrationPatterns=*:pending', 'validate'], where);
      if (!answer.validationSuccessful)
        throw refused(
          `The history does not fit the scripts: ${lastLine((answer.allErrorMessages ?? '').split('\n')[0] ?? '')}`,
          {
            next: 'Run the migrations of the version that made it, unchanged.',
          },
        );
      const named = known.find(({ revision }) => to !== null && to !== '-1' && sameVersion(revision, to))?.revision;
      const way = wayThrough({ heads, known }, named ?? to);
      const steps = await Promise.all(
        way.steps.map(async (step) => {
          const file =
            way.direction === 'down' ? known.find(({ revision }) => revision === step.revision)?.file : undefined;
          if (file === undefined || undo === undefined) return step;
          return { ...step, script: (await scriptText(runner, undo, file, where)).digest };
        }),
      );
      return digested({ ...way, steps });
    },
    go: async (way, where, signal) => {
      const options = { timeoutMs: MIGRATE_MS, ...(signal === undefined ? {} : { signal }) };
      if (way.direction === 'up') {
        const { output } = await run(ended, [`-target=${way.to ?? ''}`, 'migrate'], where, options);
        return output;
      }
      const { known } = await line(where);
      const own = way.steps.map(({ revision }) => ({
        revision,
        file: known.find((one) => one.revision === revision)?.file,
      }));
      const scripts = own.filter((one): one is { revision: string; file: string } => one.file !== undefined);
      if (undo !== undefined && scripts.length === own.length) {
        const steps = await Promise.all(
          scripts.map(async ({ revision, file }): Promise<ScriptStep> => {
            const script = await scriptText(runner, undo, file, where);
            return { revision, file, script, record: removeRow(revision) };
          }),
        );
        return await runScripts(steps, database, where, signal);
      }
      const said: string[] = [];
      // Each takes the newest one back, whatever the edition means by a target.
      for (const { revision } of own) {
        const { output } = await run(ended, ['undo'], where, options);
        said.push(`undo of ${revision}`, output);
      }
      return said.join('\n');
    },
  };
}

function isApplied({ installedOnUTC, state }: Migration): boolean {
  return (installedOnUTC ?? '') !== '' && !/^(undone|available|pending)/i.test(state);
}

/** Versions whose row says that they are applied, and that no later row says were undone. */
async function installed(sql: MigrationSql, table: string): Promise<readonly string[]> {
  const [there] = await sql.query('SELECT to_regclass($1) IS NOT NULL AS yes', [quoted(table)]);
  if (there?.['yes'] !== true) return [];
  const rows = await sql.query(
    `SELECT DISTINCT ON (version) version, type FROM ${quoted(table)}
      WHERE success AND version IS NOT NULL ORDER BY version, installed_rank DESC`,
  );
  return rows.filter(({ type }) => !String(type).startsWith('UNDO')).map(({ version }) => String(version));
}

function tableOptions(table: string | undefined): readonly string[] {
  if (table === undefined) return [];
  const [name = table, schema] = table.split('.').toReversed();
  return [`-table=${name}`, ...(schema === undefined ? [] : [`-defaultSchema=${schema}`])];
}

function answerOf<T>(
  schema: z.ZodType<T>,
  result: RunResult,
  words: readonly string[],
): { readonly answer: T; readonly output: string } {
  const output = readable(result, result.secrets);
  const what = `flyway ${words.filter((word) => !word.startsWith('-')).join(' ')}`;
  const json = jsonOf(result.stdout);
  if (result.exitCode === OTHER_EDITION)
    throw refused('This edition of Flyway has no undo.', {
      next: 'Give scripts that lead down in a folder (migrations.undo: V2__name.down.sql), or use an edition that has it.',
    });
  const failed = failure.safeParse(json);
  const answer = schema.safeParse(json);
  if (!failed.success && answer.success && result.exitCode === 0) return { answer: answer.data, output };
  const why = failed.success
    ? lastLine(readable({ stdout: failed.data.error.message ?? '', stderr: '' }, result.secrets))
    : lastLine(output);
  throw new BackstayError('MIGRATION_FAILED', `${what} ended with ${result.exitCode}: ${why}`, {
    details: { exitCode: result.exitCode, output },
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text.slice(text.indexOf('{')));
  } catch {
    return undefined;
  }
}
