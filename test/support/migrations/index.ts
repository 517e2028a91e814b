import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMigrationDatabase } from '../../../src/adapters/postgres/store/migration-database.ts';
import { createMigrations } from '../../../src/adapters/migrations/index.ts';
import { createExec, createSystemClock } from '../../../src/adapters/system/index.ts';
import type { MigrationSetting } from '../../../src/model/index.ts';
import type { Cluster, Exec, MigrationDatabase, Migrations } from '../../../src/ports/index.ts';
import type { TestPostgres } from '../postgres-server.ts';

/** What a test may say otherwise of a setting. */
export type SettingLike = Pick<MigrationSetting, 'tool'> & Partial<MigrationSetting>;

export interface MigrationsLike {
  readonly setting: SettingLike;
  /** Name of the store's database. */
  readonly database: string;
  readonly server: TestPostgres;
  /** Folder of the scripts, where they run on this machine. */
  readonly folder?: string;
  readonly exec?: Exec;
  readonly cluster?: () => Promise<Cluster>;
  readonly namespace?: string;
}

export function localExec(): Exec {
  return createExec({ env: { PATH: process.env['PATH'], HOME: process.env['HOME'], LC_ALL: 'C.UTF-8' } });
}

export function databaseOf(server: TestPostgres, database: string): MigrationDatabase {
  const connection = server.connection(database);
  return createMigrationDatabase(async () => await Promise.resolve({ connection, password: server.password }));
}

export function migrationsLike(like: MigrationsLike): Migrations {
  const { setting, database, server, folder = '.', exec = localExec(), namespace = 'default' } = like;
  return createMigrations({
    store: 'main',
    setting: { runs: { kind: 'local', folder }, urlVariable: 'DATABASE_URL', irreversible: [], ...setting },
    database: databaseOf(server, database),
    exec,
    cluster: like.cluster ?? (async () => await Promise.reject(new TypeError('nobody asked for a cluster'))),
    namespace,
    clock: createSystemClock(),
  });
}

/** A copy of the example of a tool, to be damaged at will. */
export async function exampleOf(
  tool: MigrationSetting['tool'],
): Promise<{ readonly folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), `backstay-test-${tool}-`));
  await cp(fileURLToPath(new URL(tool, import.meta.url)), folder, { recursive: true });
  return { folder, remove: async () => await rm(folder, { recursive: true, force: true }) };
}
