import { join } from 'node:path';
import { type Environment, readEnvironment, type Variables } from '../config/index.ts';
import type { Archive, Clock, JournalStore, PrivateFiles, ServiceStore } from '../ports/index.ts';
import { failpointsOf } from './failpoints.ts';

/** The journal without a stack: for `history` and `report`, and to learn the stack of a run. */
export async function openJournal(
  env: Variables,
  cwd: string,
  onWarning?: (message: string) => void,
): Promise<{
  readonly journal: JournalStore;
  readonly reportDeps: { readonly journal: JournalStore; readonly files: PrivateFiles; readonly stateDir: string };
  readonly by: { readonly user: string; readonly host: string };
  readonly clock: Clock;
  reportPath(run: string): string;
  archive(): Promise<Archive>;
  close(): Promise<void>;
}> {
  const environment = readEnvironment(env, cwd);
  const system = await import('../adapters/system/index.ts');
  const [journal, { around }] = await Promise.all([createJournal(environment, onWarning), failpointsOf(environment)]);
  return {
    journal,
    reportDeps: { journal, files: around('files', system.createPrivateFiles()), stateDir: environment.stateDir },
    by: { user: environment.user, host: environment.host },
    clock: system.createSystemClock(),
    archive: openArchive,
    reportPath: (run) => join(environment.stateDir, 'runs', run, 'report.md'),
    close: async () => await journal.close(),
  };
}

/** Loaded when something is packed. */
export async function openArchive(): Promise<Archive> {
  return (await import('../adapters/archive/index.ts')).createArchive();
}

const journalFile = (environment: Environment): string => join(environment.stateDir, 'journal.sqlite');

export interface JournalPlace {
  /** Where the journal lies, for people and leases: a file, or host, port and database. */
  readonly journalName: string;
  /** Absent: it is a file of this machine. */
  readonly journalAddress?: { readonly host: string; readonly port: number; readonly database: string };
}

export async function journalPlace(environment: Environment): Promise<JournalPlace> {
  const { databaseUrl } = environment;
  if (databaseUrl === undefined) return { journalName: journalFile(environment) };
  const { addressOf, nameOf } = await import('../adapters/postgres/journal/address.ts');
  const journalAddress = addressOf(databaseUrl);
  return { journalName: nameOf(journalAddress), journalAddress };
}

export async function createJournal(environment: Environment, warn?: (message: string) => void): Promise<JournalStore> {
  const { databaseUrl: url } = environment;
  const { around } = await failpointsOf(environment);
  const told = warn === undefined ? {} : { warn };
  if (url === undefined) {
    const { createSqliteJournal } = await import('../adapters/sqlite/index.ts');
    return around('journal', await createSqliteJournal({ file: journalFile(environment), ...told }));
  }
  const { createPostgresJournal } = await import('../adapters/postgres/journal/index.ts');
  const { createSystemClock } = await import('../adapters/system/index.ts');
  return around('journal', await createPostgresJournal({ url, clock: createSystemClock(), ...told }));
}

/** What a service keeps, beside the journal: in its file, or in its database. */
export async function createRecords(environment: Environment, warn?: (message: string) => void): Promise<ServiceStore> {
  const { databaseUrl: url } = environment;
  const { around } = await failpointsOf(environment);
  const told = warn === undefined ? {} : { warn };
  if (url === undefined) {
    const { createSqliteRecords } = await import('../adapters/sqlite/index.ts');
    return around('records', await createSqliteRecords({ file: journalFile(environment), ...told }));
  }
  const { createPostgresRecords } = await import('../adapters/postgres/journal/index.ts');
  const { createSystemClock } = await import('../adapters/system/index.ts');
  return around('records', await createPostgresRecords({ url, clock: createSystemClock(), ...told }));
}
