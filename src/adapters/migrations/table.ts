import type { KnownRevision } from '../../model/index.ts';
import type { MigrationPlace, MigrationSql } from '../../ports/index.ts';
import {
  byVersion,
  quoted,
  runScripts,
  sameVersion,
  type ScriptPair,
  scriptPairs,
  type ScriptStep,
  scriptText,
} from './scripts.ts';
import type { MigrationTool, ToolParts } from './tool.ts';
import { digested, refused, type Scripted, wayThrough } from './way.ts';

const TABLE = 'schema_migrations';

/** One row for each revision that was applied, or one row that says the newest (`version, dirty`). */
interface Table {
  readonly form: 'rows' | 'newest' | 'absent';
  readonly versions: readonly string[];
  readonly dirty: boolean;
}

/** A table of revisions and scripts `NAME.up.sql`, `NAME.down.sql`: no tool at all, as many projects have it. */
export function createTable({ setting, runner, database }: ToolParts): MigrationTool {
  const folder = setting.undo ?? setting.runs.folder ?? '.';
  const table = setting.table ?? TABLE;

  const look = async (where: MigrationPlace): Promise<Table> =>
    await database.transaction(where, async (sql) => await readTable(sql, table));
  const standing = async (where: MigrationPlace) => {
    const [state, pairs] = await Promise.all([look(where), scriptPairs(runner, folder, where)]);
    assertClean(state, table);
    assertOnce(pairs);
    const heads = headsOf(state, pairs);
    if (state.form === 'rows') assertAll(state, pairs, heads);
    return { pairs, heads };
  };
  const line = async (where: MigrationPlace) => {
    const { pairs, heads } = await standing(where);
    const known: readonly Scripted[] = pairs.map((pair, at) => ({
      revision: pair.name,
      title: pair.name.slice(pair.version.length).replaceAll('_', ' ').trim(),
      after: at === 0 ? [] : [pairs[at - 1]?.name ?? ''],
      reversible: pair.down !== undefined,
    }));
    return { pairs, heads, known };
  };

  return {
    heads: async (where) => (await standing(where)).heads,
    known: async (where) => {
      const { heads, known } = await line(where);
      const top = known.findIndex(({ revision }) => revision === heads[0]);
      return known.map((one, at): KnownRevision => ({ ...one, applied: at <= top }));
    },
    way: async (to, where) => {
      const { pairs, heads, known } = await line(where);
      const wanted =
        to === null || to === '-1'
          ? to
          : (pairs.find(({ name, version }) => name === to || sameVersion(version, to))?.name ?? to);
      const way = wayThrough({ heads, known }, wanted);
      const steps = await Promise.all(
        way.steps.map(async (step) => {
          const file = fileOf(pairs, step.revision, way.direction);
          return file === undefined
            ? step
            : { ...step, script: (await scriptText(runner, folder, file, where)).digest };
        }),
      );
      return digested({ ...way, steps });
    },
    go: async (way, where, signal) => {
      const { pairs } = await line(where);
      const steps = await Promise.all(
        way.steps.map(async ({ revision, script }): Promise<ScriptStep> => {
          const file = fileOf(pairs, revision, way.direction);
          if (file === undefined)
            throw refused(`There is no script to go ${way.direction} through ${revision}.`, {
              next: `Add ${revision}.${way.direction}.sql.`,
              revision,
            });
          const read = await scriptText(runner, folder, file, where);
          if (read.digest !== script)
            throw refused(`${file} is not what it was a moment ago.`, { next: 'Plan again.', file });
          return { revision, file, script: read, record: recordOf(table, pairs, revision, way.direction) };
        }),
      );
      return await runScripts(steps, database, where, signal);
    },
  };
}

function fileOf(pairs: readonly ScriptPair[], revision: string, direction: string): string | undefined {
  const pair = pairs.find(({ name }) => name === revision);
  return direction === 'up' ? pair?.up : pair?.down;
}

async function readTable(sql: MigrationSql, table: string): Promise<Table> {
  const columns = await sql.query(
    'SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped',
    [quoted(table)],
  );
  if (columns.length === 0) return { form: 'absent', versions: [], dirty: false };
  const names = columns.map(({ name }) => String(name));
  if (!names.includes('version'))
    throw refused(`The table ${table} has no column \`version\`.`, {
      next: 'Name the table of revisions (migrations.table).',
    });
  const newest = names.includes('dirty');
  const rows = await sql.query(`SELECT version::text AS version${newest ? ', dirty' : ''} FROM ${quoted(table)}`);
  return {
    form: newest ? 'newest' : 'rows',
    versions: rows.map(({ version }) => String(version)),
    dirty: rows.some(({ dirty }) => dirty === true),
  };
}

function assertClean({ dirty, versions }: Table, table: string): void {
  if (!dirty) return;
  throw refused(`A migration to ${versions.join(', ')} was begun and not ended: ${table} says dirty.`, {
    next: 'Put the schema right by hand and clear the mark, or restore a backup.',
    table,
  });
}

/** Names of scripts where there are such, else what stands in the table. */
function headsOf({ versions }: Table, pairs: readonly ScriptPair[]): readonly string[] {
  const newest = versions.toSorted(byVersion).at(-1);
  return newest === undefined ? [] : [pairOf(pairs, newest)?.name ?? newest];
}

function pairOf(pairs: readonly ScriptPair[], version: string): ScriptPair | undefined {
  return pairs.find((pair) => pair.name === version || sameVersion(pair.version, version));
}

function assertOnce(pairs: readonly ScriptPair[]): void {
  const twice = pairs.filter(({ version }, at) => at > 0 && sameVersion(version, pairs[at - 1]?.version ?? ''));
  if (twice.length === 0) return;
  throw refused(`Several scripts have the version ${twice.map(({ version }) => version).join(', ')}.`, {
    next: 'Give each a version of its own: which of them comes first is not known.',
  });
}

/** A revision in the middle that is missing from the table was never applied: no line leads through it. */
function assertAll({ versions }: Table, pairs: readonly ScriptPair[], [head]: readonly string[]): void {
  const top = pairs.findIndex(({ name }) => name === head);
  const missing = pairs.slice(0, top + 1).filter((pair) => !versions.some((one) => pairOf([pair], one) !== undefined));
  if (missing.length === 0) return;
  throw refused(`${missing.map(({ name }) => name).join(', ')} was never applied, though later ones were.`, {
    next: 'Apply it, or take its script away: what stands on it is not known.',
  });
}

function recordOf(
  table: string,
  pairs: readonly ScriptPair[],
  revision: string,
  direction: string,
): ScriptStep['record'] {
  const at = pairs.findIndex(({ name }) => name === revision);
  return async (sql) => {
    // What it is made of is looked at within: a step before this one may have made it.
    if ((await readTable(sql, table)).form === 'absent')
      await sql.query(`CREATE TABLE ${quoted(table)} (version text PRIMARY KEY)`);
    // Whoever migrates meanwhile, the application as it starts for one, waits or is refused.
    await sql.query(`LOCK TABLE ${quoted(table)} IN ACCESS EXCLUSIVE MODE`);
    const { form, versions } = await readTable(sql, table);
    if (form === 'newest') {
      const [expected, next] = direction === 'down' ? [pairs[at], pairs[at - 1]] : [pairs[at - 1], pairs[at]];
      assertAt(versions.toSorted(byVersion).at(-1), expected, table);
      await sql.query(`DELETE FROM ${quoted(table)}`);
      if (next !== undefined)
        await sql.query(`INSERT INTO ${quoted(table)} (version, dirty) VALUES ($1, false)`, [next.version]);
      return;
    }
    const own = versions.find((one) => pairOf(pairs, one)?.name === revision);
    if ((direction === 'down') !== (own !== undefined)) throw changed(table, revision);
    if (own !== undefined) await sql.query(`DELETE FROM ${quoted(table)} WHERE version::text = $1`, [own]);
    else await sql.query(`INSERT INTO ${quoted(table)} (version) VALUES ($1)`, [spelled(versions, pairs[at])]);
  };
}

function assertAt(version: string | undefined, pair: ScriptPair | undefined, table: string): void {
  const isThere =
    version === undefined ? pair === undefined : pair !== undefined && pairOf([pair], version) !== undefined;
  if (!isThere) throw changed(table, version ?? 'nothing');
}

function changed(table: string, at: string): Error {
  return refused(`${table} was changed meanwhile, at ${at}.`, { next: 'Plan again.' });
}

/** As the rows that are there spell theirs: the whole name, its digits, or these as a number. */
function spelled(versions: readonly string[], pair: ScriptPair | undefined): string {
  const { name = '', version = '' } = pair ?? {};
  if (versions.some((one) => !/^\d+(\.\d+)*$/.test(one))) return name;
  const plain = versions.length > 0 && versions.every((one) => !/^0\d/.test(one));
  return plain ? version.replace(/^0+(?=\d)/, '') : version;
}
