import { inflateSync } from 'node:zlib';
import { BackstayError } from '../../errors/index.ts';
import type { MigrationSetting } from '../../model/index.ts';
import type { MigrationDatabase, MigrationPlace } from '../../ports/index.ts';
import { ALEMBIC_PROGRAM, WITH_PYTHON } from './alembic-program.ts';
import { hidden, lastLine, readable } from './output.ts';
import type { RunResult } from './runner.ts';
import { ASK_MS, MIGRATE_MS, type MigrationTool, type ToolParts } from './tool.ts';
import { appliedUnder, digested, inOrder, refused, type Scripted, type Standing, wayThrough } from './way.ts';

interface Answer {
  readonly standing?: readonly { readonly heads: readonly string[]; readonly database: Identity | null }[];
  readonly history?: readonly (readonly [
    revision: string,
    title: string,
    after: readonly string[],
    reversible: boolean,
    sha256: string,
  ])[];
  readonly statements?: string;
}

/** Name, number, and when its server started: no two live databases have the same. */
type Identity = readonly [name: string, oid: string, started: string];

const IDENTITY = `SELECT current_database() AS name, (SELECT oid FROM pg_database WHERE datname = current_database())::text AS oid,
  to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS') AS started`;

/** Alembic, asked through its own library and driven through its own command line. */
export function createAlembic({ setting, runner, database }: ToolParts): MigrationTool {
  const command = splitCommand(setting);
  const ask = async (where: MigrationPlace, ...question: readonly [string, string, string]): Promise<Answer> => {
    const argv = [...command.before, 'sh', '-c', WITH_PYTHON, 'sh', command.program, ALEMBIC_PROGRAM, ...question];
    const result = await runner.run([...argv, ...command.options], {
      where,
      timeoutMs: ASK_MS,
      program: command.program,
    });
    return answerOf(result);
  };
  const standing = async (where: MigrationPlace, mode: 'current' | 'history'): Promise<Standing> => {
    const answer = await ask(where, mode, '', '');
    const [one, ...more] = answer.standing ?? [];
    if (one === undefined || more.length > 0)
      throw refused(`Alembic's env.py speaks of ${(answer.standing ?? []).length} databases at once, not of one.`, {
        next: 'Give each its own store, with `-n NAME` or `-x` in migrations.command.',
      });
    await assertSame(one.database, database, where);
    return { heads: one.heads, known: (answer.history ?? []).map(scripted) };
  };
  const digestOfStatements = async (
    { from, to, direction }: ReturnType<typeof wayThrough>,
    where: MigrationPlace,
  ): Promise<string | undefined> => {
    if (direction === 'none') return undefined;
    // An env.py without an offline mode has none to show; the digests of the scripts hold then.
    const answer = await ask(where, direction, from ?? 'base', to ?? 'base').catch(passOver);
    return answer?.statements;
  };
  return {
    heads: async (where) => (await standing(where, 'current')).heads,
    known: async (where) => {
      const all = await standing(where, 'history');
      const applied = appliedUnder(all);
      return inOrder(all.known).map(({ revision, title, after, reversible }) => ({
        revision,
        title,
        after,
        reversible,
        applied: applied.has(revision),
      }));
    },
    way: async (to, where) => {
      const way = wayThrough(await standing(where, 'history'), to);
      return digested(way, await digestOfStatements(way, where));
    },
    go: async ({ direction, to }, where, signal) => {
      const verb = direction === 'down' ? 'downgrade' : 'upgrade';
      const argv = [...command.before, command.program, ...command.options, verb, to ?? 'base'];
      const options = {
        where,
        timeoutMs: MIGRATE_MS,
        program: command.program,
        ...(signal === undefined ? {} : { signal }),
      };
      return outputOf(await runner.run(argv, options), `alembic ${verb}`);
    },
  };
}

interface AlembicCommand {
  /** Such as `uv run`. */
  readonly before: readonly string[];
  readonly program: string;
  /** Options of Alembic's own, such as `-c FILE`. */
  readonly options: readonly string[];
}

function splitCommand({ command = ['alembic'] }: MigrationSetting): AlembicCommand {
  const at = command.findIndex((word) => word === 'alembic' || word.endsWith('/alembic'));
  const program = command[at];
  const before = command.slice(0, Math.max(at, 0));
  if (program === undefined || before.at(-1) === '-m')
    throw refused(`migrations.command is ${command.join(' ')}, in which no program \`alembic\` is named.`, {
      next: 'Name the program that lies beside its Python, such as [".venv/bin/alembic", "-c", "alembic.ini"].',
    });
  return { before, program, options: command.slice(at + 1) };
}

function answerOf(result: RunResult): Answer {
  const text = outputOf(result, 'alembic', result.stdout);
  try {
    return JSON.parse(inflateSync(Buffer.from(text.trim(), 'base64')).toString('utf8')) as Answer;
  } catch (cause) {
    throw new BackstayError('MIGRATION_FAILED', 'What Alembic knows could not be read whole.', {
      cause,
      next: 'Look whether the program that runs is Alembic; histories of several thousand revisions are too long for a pod.',
    });
  }
}

/** @throws MIGRATION_FAILED with the end of what it wrote. */
function outputOf(result: RunResult, what: string, answer = readable(result, result.secrets)): string {
  if (result.exitCode === 0) return answer;
  const output = readable(result, result.secrets);
  throw new BackstayError(
    'MIGRATION_FAILED',
    `${what} ended with ${result.exitCode}: ${lastLine(hidden(output, result.secrets))}`,
    {
      details: { exitCode: result.exitCode, output },
    },
  );
}

function scripted([revision, title, after, reversible, sha256]: NonNullable<Answer['history']>[number]): Scripted {
  return { revision, title, after, reversible, script: `sha256:${sha256}` };
}

function passOver(error: unknown): undefined {
  if (error instanceof BackstayError && error.code === 'MIGRATION_FAILED') return undefined;
  throw error;
}

/** Whatever its env.py does with the address, it must speak of the database that is meant, and of no other. */
async function assertSame(said: Identity | null, database: MigrationDatabase, where: MigrationPlace): Promise<void> {
  const [row] = await database.transaction(where, async (sql) => await sql.query(IDENTITY));
  const meant = [row?.['name'], row?.['oid'], row?.['started']].map(String);
  if (said !== null && said.every((part, at) => part === meant[at])) return;
  throw refused(
    said === null
      ? 'Alembic is not connected to a PostgreSQL database here.'
      : `Alembic speaks of another database (${said[0]}, number ${said[1]}) than the store (${meant[0]}, number ${meant[1]}).`,
    { next: 'Let env.py read the address from the environment, and name that variable (migrations.urlVariable).' },
  );
}
