import { z } from 'zod';
import { BackstayError } from '../../errors/index.ts';
import { lastLine, readable } from './output.ts';
import type { RunResult } from './runner.ts';
import { byVersion } from './scripts.ts';
import { refused } from './way.ts';

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
  undoFilepath: z.string().nullish(),
});

/** What `info validate` answers, one of them after the other. */
const looked = z.object({
  individualResults: z.tuple([
    z.object({ operation: z.literal('info'), database: z.string().nullish(), migrations: z.array(migration) }),
    z.object({
      operation: z.literal('validate'),
      validationSuccessful: z.boolean(),
      allErrorMessages: z.string().nullish(),
    }),
  ]),
});

const done = z.object({ operation: z.string() });
const failure = z.object({
  error: z.object({ errorCode: z.string().nullish(), message: z.string().nullish() }),
});

export interface FlywayMigration {
  readonly version: string;
  readonly title: string;
  readonly applied: boolean;
  /** Whether this edition of Flyway can take it back by itself. */
  readonly undoable: boolean;
  /** Absolute paths of its scripts, where Flyway runs. */
  readonly file?: string;
  readonly undoFile?: string;
}

export interface FlywayLooked {
  readonly database: string;
  /** By version; what is repeated at every change has none, and is left out. */
  readonly migrations: readonly FlywayMigration[];
  /** Why the history does not fit the scripts; undefined: it does. */
  readonly unfit?: string;
}

/** Both are asked of one process: most of their time is Java's start. */
export const LOOK = ['-ignoreMigrationPatterns=*:pending', 'info', 'validate'] as const;

/** @throws MIGRATION_FAILED, and MIGRATION_REFUSED where an edition lacks what was asked. */
export function lookedOf(result: RunResult): FlywayLooked {
  const { individualResults } = answerOf(looked, result, 'info').answer;
  const [{ database, migrations }, { validationSuccessful, allErrorMessages }] = individualResults;
  const versioned = migrations.flatMap((one) => {
    const { version, category, description, state, installedOnUTC, undoable, filepath, undoFilepath } = one;
    if (category === 'Repeatable' || (version ?? '') === '') return [];
    return [
      {
        version: version ?? '',
        title: description ?? '',
        applied: (installedOnUTC ?? '') !== '' && !/^(undone|available|pending)/i.test(state),
        undoable: /^yes$/i.test(undoable ?? ''),
        ...(filepath ? { file: filepath } : {}),
        ...(undoFilepath ? { undoFile: undoFilepath } : {}),
      },
    ];
  });
  const said = (allErrorMessages ?? '').split('\n')[0] ?? '';
  return {
    database: database ?? '',
    migrations: versioned.toSorted((a, b) => byVersion(a.version, b.version)),
    ...(validationSuccessful ? {} : { unfit: said === '' ? 'validation failed' : said }),
  };
}

/** What it wrote, for people. Errors: as `lookedOf`. */
export function doneOf(result: RunResult, verb: string): string {
  return answerOf(done, result, verb).output;
}

/** Its exit code is not enough: `validate` ends with 0 where nothing fits. */
function answerOf<T>(
  schema: z.ZodType<T>,
  result: RunResult,
  verb: string,
): { readonly answer: T; readonly output: string } {
  if (result.exitCode === OTHER_EDITION)
    throw refused(`This edition of Flyway has no ${verb}.`, {
      next: 'Give scripts that lead down in a folder (migrations.undo: V2__name.down.sql), or use an edition that has it.',
    });
  const output = readable(result, result.secrets);
  const json = jsonOf(result.stdout);
  const failed = failure.safeParse(json);
  const answer = schema.safeParse(json);
  if (!failed.success && answer.success && result.exitCode === 0) return { answer: answer.data, output };
  const message = failed.success ? (failed.data.error.message ?? '') : '';
  const why = lastLine(message === '' ? output : readable({ stdout: message, stderr: '' }, result.secrets));
  throw new BackstayError('MIGRATION_FAILED', `flyway ${verb} ended with ${result.exitCode}: ${why}`, {
    details: { exitCode: result.exitCode, output },
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text.slice(Math.max(0, text.indexOf('{'))));
  } catch {
    return undefined;
  }
}
