import { BackstayError, isBackstayError } from '../../errors/index.ts';
import { type Digest, digestOfBytes } from '../../model/index.ts';
import type { MigrationDatabase, MigrationPlace, MigrationSql } from '../../ports/index.ts';
import { listScripts, readScript, type Runner } from './runner.ts';
import { withinOneTransaction } from './sql.ts';
import { APPLICATION } from './tool.ts';
import { refused } from './way.ts';

/** `0003_add_notes.down.sql` → `0003_add_notes`, down. */
const SCRIPT = /^(?<name>.+)\.(?<direction>up|down)\.sql$/;

export interface ScriptPair {
  /** `0003_add_notes`. */
  readonly name: string;
  /** `0003`: digits in front of the name, or all of it. */
  readonly version: string;
  /** File names. */
  readonly up?: string;
  readonly down?: string;
}

/** Scripts of a folder by name, in the order of their versions. */
export async function scriptPairs(
  runner: Runner,
  folder: string,
  where: MigrationPlace,
): Promise<readonly ScriptPair[]> {
  return pairsOf(await listScripts(runner, folder, where));
}

export function pairsOf(files: readonly string[]): readonly ScriptPair[] {
  const pairs = new Map<string, ScriptPair>();
  for (const file of files) {
    const { name, direction } = SCRIPT.exec(file)?.groups ?? {};
    if (name === undefined || direction === undefined) continue;
    const version = /^\d+(?:\.\d+)*/.exec(name)?.[0] ?? name;
    pairs.set(name, { ...(pairs.get(name) ?? { name, version }), [direction]: file });
  }
  return [...pairs.values()].toSorted((a, b) => byVersion(a.version, b.version) || byVersion(a.name, b.name));
}

/** Numbers by number, part by part, as far as they are numbers. */
export function byVersion(left: string, right: string): number {
  return left.localeCompare(right, 'en', { numeric: true });
}

/** `3`, `003` and `0003_add_notes` name the same. */
export function sameVersion(left: string, right: string): boolean {
  const plain = (version: string): string => version.replaceAll(/(^|[._])0+(?=\d)/g, '$1');
  return plain(left) === plain(right);
}

export interface ReadScript {
  readonly text: string;
  readonly digest: Digest;
}

export async function scriptText(
  runner: Runner,
  folder: string,
  file: string,
  where: MigrationPlace,
): Promise<ReadScript> {
  const text = await readScript(runner, folder, file, where);
  return { text, digest: digestOfBytes(text) };
}

export interface ScriptStep {
  readonly revision: string;
  readonly file: string;
  readonly script: ReadScript;
  /** Writes down in the table of revisions that the step was taken. */
  readonly record: (sql: MigrationSql) => Promise<void>;
}

/**
 * Each script and its line in the table of revisions in one transaction: both or neither, wherever it is cut off.
 * @throws MIGRATION_FAILED naming the step; those before it are taken, and stand in the table.
 */
export async function runScripts(
  steps: readonly ScriptStep[],
  database: MigrationDatabase,
  where: MigrationPlace,
  signal?: AbortSignal,
): Promise<string> {
  // All of them are looked at before the first is run.
  const whole = steps.map((step) => ({ ...step, sql: oneTransaction(step) }));
  const said: string[] = [];
  for (const { revision, file, sql, record } of whole) {
    signal?.throwIfAborted();
    // A statement at work ends when its session does, and with it the transaction.
    const stop = (): void => void database.endSessions(APPLICATION, where).catch(() => undefined);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      await database.transaction(where, async (session) => {
        await record(session);
        await session.query(sql);
        signal?.throwIfAborted();
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (!isBackstayError(error) || error.code !== 'STORE_FAILED') throw error;
      throw new BackstayError('MIGRATION_FAILED', `${file}: ${error.message}`, {
        cause: error,
        details: { revision, output: [...said, error.message].join('\n') },
      });
    } finally {
      signal?.removeEventListener('abort', stop);
    }
    said.push(`${file}: done`);
  }
  return said.join('\n');
}

function oneTransaction({ file, script }: ScriptStep): string {
  const sql = withinOneTransaction(script.text);
  if (sql !== undefined) return sql;
  throw refused(`${file} begins or ends transactions itself, so that it could be taken by half.`, {
    next: 'Take BEGIN, COMMIT and SAVEPOINT out of it: each script is one transaction here.',
    file,
  });
}

/** `schema.table` or `table`, as an identifier. */
export function quoted(table: string): string {
  return table
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
}
