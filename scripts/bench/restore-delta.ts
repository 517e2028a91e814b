import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestPostgres } from '../../test/support/postgres-server.ts';
import { findPgBackRest, type PgBackRest } from '../../src/toolchain/pgbackrest.ts';
import { type Figure, sampled } from './figure.ts';
import { run } from './process-times.ts';

const ROUNDS = 3;

export interface DeltaRequest {
  readonly server: TestPostgres;
  readonly database: string;
  /** Empty folder for its repository. */
  readonly folder: string;
  /** Processes at once. */
  readonly jobs: number;
  readonly say: (line: string) => void;
}

/**
 * pgBackRest's delta restore of the same data, for information: it writes the whole cluster's files over what is there while
 * the server is down, and only those that changed. A part of the rows is changed before each round, as a bad release does it.
 * None, and a line that says why, where it cannot be had. The server is killed on the way, and runs again afterwards.
 */
export async function deltaRestore({ server, database, folder, jobs, say }: DeltaRequest): Promise<readonly Figure[]> {
  const tool = await findPgBackRest({ onProgress: ({ message }) => say(`pgbackrest: ${message}`) }).catch(
    (error: unknown) => {
      say(`no row of pgBackRest: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    },
  );
  if (tool === undefined) return [];
  const [row] = await server.run('postgres', 'SHOW data_directory');
  const data = String(row?.['data_directory']);
  const call = async (...words: readonly string[]): Promise<number> =>
    await pgBackRest(tool, data, folder, jobs, words);
  say(`pgBackRest ${tool.version}: backing the whole server up`);
  await down(server, data);
  await call('--no-online', 'stanza-create');
  await call('--no-online', '--type=full', 'backup');
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    say(`pgBackRest: delta restore, ${round + 1} of ${ROUNDS}`);
    await server.restart();
    await server.run(database, 'UPDATE chunks_0 SET at = at + 1');
    await down(server, data);
    samples.push(await call('--delta', '--type=none', 'restore'));
  }
  await server.restart();
  const what = `pgBackRest ${tool.version}: its delta restore of the whole server, which is down meanwhile; one of the tables changed`;
  return [sampled({ name: 'restore.pgbackrest', what, unit: 'ms' }, samples)];
}

/** Whatever it holds is on the disk; what it left says no more that it runs. */
async function down(server: TestPostgres, data: string): Promise<void> {
  await server.run('postgres', 'CHECKPOINT');
  await server.kill();
  rmSync(join(data, 'postmaster.pid'), { force: true });
}

/** Milliseconds of the process. */
async function pgBackRest(
  { program }: PgBackRest,
  data: string,
  folder: string,
  jobs: number,
  words: readonly string[],
): Promise<number> {
  const places = ['repository', 'log', 'lock', 'spool'].map((name) => join(folder, name));
  for (const place of places) mkdirSync(place, { recursive: true });
  const [repository = '', log = '', lock = '', spool = ''] = places;
  const settings = [
    '--stanza=bench',
    '--config=/dev/null',
    `--pg1-path=${data}`,
    `--repo1-path=${repository}`,
    `--log-path=${log}`,
    `--lock-path=${lock}`,
    `--process-max=${jobs}`,
    '--log-level-console=warn',
  ];
  // It refuses a setting that a command does not have.
  const own = words.includes('stanza-create') ? settings.filter((one) => !one.startsWith('--process-max')) : settings;
  const env = { PATH: process.env['PATH'], PGBACKREST_SPOOL_PATH: spool };
  return (await run(program, [...own, ...words], env)).ms;
}
