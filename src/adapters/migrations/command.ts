import { z } from 'zod';
import { BackstayError } from '../../errors/index.ts';
import type { MigrationPlace } from '../../ports/index.ts';
import { lastLine, readable } from './output.ts';
import type { RunResult } from './runner.ts';
import { ASK_MS, MIGRATE_MS, type MigrationTool, type ToolParts } from './tool.ts';
import { digested, refused } from './way.ts';

const revision = z.string().min(1).nullable();

const current = z.object({ revision, heads: z.array(z.string()).optional(), database: z.string().optional() });

const way = z.object({
  from: revision,
  to: revision,
  direction: z.enum(['down', 'up', 'none']),
  steps: z.array(
    z.object({ revision: z.string(), title: z.string().default(''), reversible: z.boolean().default(true) }),
  ),
  /** Whatever changes when the statements change. */
  statements: z.string().optional(),
});

const list = z.object({
  revisions: z.array(
    z.object({
      revision: z.string(),
      title: z.string().default(''),
      after: z.array(z.string()),
      reversible: z.boolean().default(true),
      applied: z.boolean(),
    }),
  ),
});

/** The stack's own program: it answers in JSON on its standard output, and fails by its exit code. */
export function createCommand({ setting, runner, database }: ToolParts): MigrationTool {
  const { command } = setting;
  if (command === undefined)
    throw refused('migrations.command is missing: the tool `command` is that program.', {
      next: 'Name the program and its first arguments in the stack file.',
    });
  const run = async (words: readonly string[], where: MigrationPlace, timeoutMs: number, signal?: AbortSignal) =>
    await runner.run([...command, ...words], { where, timeoutMs, ...(signal === undefined ? {} : { signal }) });
  const ask = async <T>(schema: z.ZodType<T>, words: readonly string[], where: MigrationPlace): Promise<T> => {
    const result = await run(words, where, ASK_MS);
    assertEnded(result, words);
    return parsed(schema, result, words);
  };
  const heads = async (where: MigrationPlace): Promise<readonly string[]> => {
    const answer = await ask(current, ['current'], where);
    await assertDatabase(answer.database, where);
    return answer.heads ?? (answer.revision === null ? [] : [answer.revision]);
  };
  /** A program that runs elsewhere, or is sent to a copy, could speak of another database without knowing it. */
  const assertDatabase = async (said: string | undefined, where: MigrationPlace): Promise<void> => {
    const { database: meant } = await database.address(where);
    if (said === meant || (said === undefined && where.database === undefined && runner.kind === 'local')) return;
    throw refused(
      said === undefined
        ? 'The migration program does not say of which database it speaks.'
        : `The migration program speaks of database ${said}, not of ${meant}.`,
      { next: 'Let its `current` answer with "database", as asked of the server: SELECT current_database().' },
    );
  };
  return {
    heads,
    known: async (where) => (await ask(list, ['list'], where)).revisions,
    way: async (to, where) => {
      const answer = await ask(way, ['way', to ?? 'base'], where);
      const [from = null] = await heads(where);
      if (answer.from !== from)
        throw refused(
          `The program shows a way from ${answer.from ?? 'base'}, and the database is at ${from ?? 'base'}.`,
          {
            next: 'Correct the program: `way` begins where `current` is.',
          },
        );
      const { statements, ...rest } = answer;
      return digested(rest, statements);
    },
    go: async ({ to }, where, signal) => {
      const words = ['migrate', to ?? 'base'];
      await heads(where);
      const result = await run(words, where, MIGRATE_MS, signal);
      assertEnded(result, words);
      return readable(result, result.secrets);
    },
  };
}

/** By convention: what was asked cannot be done, and nothing was. */
const REFUSED = 3;

function assertEnded(result: RunResult, words: readonly string[]): void {
  if (result.exitCode === 0) return;
  const output = readable(result, result.secrets);
  const code = result.exitCode === REFUSED ? 'MIGRATION_REFUSED' : 'MIGRATION_FAILED';
  throw new BackstayError(code, `\`${words.join(' ')}\` ended with ${result.exitCode}: ${lastLine(output)}`, {
    details: { exitCode: result.exitCode, output },
  });
}

function parsed<T>(schema: z.ZodType<T>, result: RunResult, words: readonly string[]): T {
  const answer = schema.safeParse(jsonOf(result.stdout));
  if (answer.success) return answer.data;
  throw new BackstayError(
    'MIGRATION_FAILED',
    `\`${words.join(' ')}\` does not answer as docs/databases.md tells: ${answer.error.issues[0]?.message ?? ''}`,
    {
      details: { output: readable(result, result.secrets) },
    },
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
