import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../../errors/index.ts';
import { type Grounds, withFolder } from './folders.ts';
import { lastLines, nameOf, runTool, type ToolResult, type Variables } from './process.ts';

/** Neo4j's own programs on this machine, of one version. */
export interface Neo4jTools {
  readonly admin: readonly string[];
  readonly console: readonly string[];
  /** `5.26.30`; absent where nobody asked them. */
  readonly version?: string;
}

export interface AdminOptions {
  readonly tools: Neo4jTools;
  readonly env: Variables;
  /** Of each call, in milliseconds. */
  readonly limitMs: number;
  readonly signal?: AbortSignal;
}

/** `in-use`: somebody serves it. `unrecovered`: it was killed, and has to be started and stopped once before. */
export type Dumped = 'done' | 'in-use' | 'unrecovered';

/** Writes `<folder>/<database>.dump`. @throws STORE_FAILED with what the tool said */
export async function dump(admin: AdminOptions, grounds: Grounds, database: string, folder: string): Promise<Dumped> {
  const result = await call(admin, grounds, [
    'database',
    'dump',
    database,
    `--to-path=${folder}`,
    '--overwrite-destination=true',
  ]);
  // The exit code alone is no proof: the file has to be there.
  if (result.exitCode === 0 && (await readdir(folder)).includes(`${database}.dump`)) return 'done';
  if (/database is in use/i.test(result.said)) return 'in-use';
  if (/recover database/i.test(result.said)) return 'unrecovered';
  throw failed(admin, result);
}

/**
 * Loads a dump under a name that nobody uses, and never over anything: Neo4j removes what is there before it reads the
 * first byte of the dump. What a load that fails leaves behind is the caller's to remove.
 */
export async function load(admin: AdminOptions, grounds: Grounds, file: string, database: string): Promise<void> {
  await mkdir(grounds.databases, { recursive: true });
  await mkdir(grounds.transactions, { recursive: true });
  const result = await withDump(
    file,
    database,
    async (folder) => await call(admin, grounds, ['database', 'load', database, `--from-path=${folder}`]),
  );
  if (result.exitCode !== 0) throw failed(admin, result);
}

/** Everything in a dump that is not as Neo4j writes it, in its own words; undefined: it is consistent. */
export async function faultOfDump(admin: AdminOptions, file: string): Promise<string | undefined> {
  return await withFolder(
    async (temporary) =>
      await withDump(file, 'graph', async (folder) => {
        const places = [`--from-path=${folder}`, `--temp-path=${temporary}`, `--report-path=${temporary}`];
        return told(await call(admin, undefined, ['database', 'check', 'graph', ...places]));
      }),
  );
}

/** The same of a database that nobody serves. */
export async function faultOf(admin: AdminOptions, grounds: Grounds, database: string): Promise<string | undefined> {
  return await withFolder(async (report) =>
    told(await call(admin, grounds, ['database', 'check', database, `--report-path=${report}`])),
  );
}

function told({ exitCode, said }: ToolResult): string | undefined {
  return exitCode === 0 ? undefined : lastLines(said) || `exit code ${exitCode}`;
}

/** Neo4j finds a dump by the name of its file. */
async function withDump<T>(file: string, database: string, work: (folder: string) => Promise<T>): Promise<T> {
  return await withFolder(async (folder) => {
    await symlink(file, join(folder, `${database}.dump`));
    return await work(folder);
  });
}

/** With a home of its own, so that nothing of the server's is written but what is asked for. */
async function call(
  { tools, env, limitMs, signal }: AdminOptions,
  grounds: Grounds | undefined,
  args: readonly string[],
): Promise<ToolResult> {
  return await withFolder(async (home) => {
    const variables = await homeIn(home, grounds?.settings ?? []);
    return await runTool([...tools.admin, ...args], {
      env: { ...env, ...variables },
      limitMs,
      ...(signal === undefined ? {} : { signal }),
    });
  });
}

/** Lays out NEO4J_HOME with this configuration. Gives the variables that lead there. */
export async function homeIn(home: string, settings: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const conf = join(home, 'conf');
  await mkdir(conf, { recursive: true, mode: 0o700 });
  await writeFile(join(conf, 'neo4j.conf'), `${settings.join('\n')}\n`, { mode: 0o600 });
  return { NEO4J_HOME: home, NEO4J_CONF: conf };
}

function failed({ tools }: AdminOptions, { exitCode, said }: ToolResult): BackstayError {
  const why = lastLines(said) || `exit code ${exitCode}`;
  return new BackstayError('STORE_FAILED', `${nameOf(tools.admin)}: ${why}`, { details: { exitCode } });
}
