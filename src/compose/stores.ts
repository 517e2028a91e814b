import { join } from 'node:path';
import type { Variables } from '../config/index.ts';
import { BackstayError } from '../errors/index.ts';
import type {
  DataStoreSetting,
  MigrationSetting,
  PasswordSource,
  PostgresConnection,
  PostgresStoreSetting,
} from '../model/index.ts';
import type { Clock, Cluster, DataStore, Forward, KeyReader, Migrations } from '../ports/index.ts';
import type { MigrationsOptions } from '../adapters/migrations/index.ts';
import type { ToolProgress } from '../toolchain/index.ts';
import { once } from './once.ts';

export const placeOf = ({ host, port }: Forward): Pick<Forward, 'host' | 'port'> => ({ host, port });

/** How a store is reached, once its way through the cluster is open. */
export interface Reached {
  /** Where a way through the cluster begins; nothing when the stack file's own address holds. */
  readonly place: { readonly host?: string; readonly port?: number };
  readonly password: string | undefined;
}

/** The setting's own connection, with the way through the cluster in it. */
function placed<C extends DataStoreSetting['connection']>(
  connection: C,
  reached: () => Promise<Reached>,
): () => Promise<{ readonly connection: C; readonly password: string | undefined }> {
  return async () => {
    const { place, password } = await reached();
    return { connection: { ...connection, ...place }, password };
  };
}

export function accessOf(
  { connection }: PostgresStoreSetting,
  reached: () => Promise<Reached>,
  env: Variables,
): () => Promise<{ readonly connection: PostgresConnection; readonly password: string | undefined }> {
  return async () => {
    const { withService } = await import('../adapters/postgres/store/service-file.ts');
    return await withService(await placed(connection, reached)(), env);
  };
}

export async function openStore(
  setting: DataStoreSetting,
  reached: () => Promise<Reached>,
  opened: {
    readonly stack: string;
    readonly root: string;
    readonly clock: Clock;
    readonly env: Variables;
    /** For a server that runs in it. */
    readonly cluster: () => Promise<Cluster>;
    readonly namespace: string;
    readonly onToolProgress?: (progress: ToolProgress) => void;
  },
): Promise<DataStore> {
  const { stack, root, clock, env, cluster, namespace, onToolProgress } = opened;
  const told = { env, ...(onToolProgress === undefined ? {} : { onProgress: onToolProgress }) };
  const shelf = async () =>
    (await import('../adapters/fs/index.ts')).createBackupShelf(join(root, stack, setting.name), clock);
  switch (setting.kind) {
    case 'postgres': {
      const { createPostgresStore } = await import('../adapters/postgres/store/index.ts');
      const fetchTools = async (): Promise<string> =>
        await (await import('../toolchain/index.ts')).findPostgresClient(told);
      return createPostgresStore({
        stack,
        setting,
        access: accessOf(setting, reached, env),
        shelf: await shelf(),
        clock,
        env,
        fetchTools,
      });
    }
    case 'redis': {
      const { createRedisStore } = await import('../adapters/redis/index.ts');
      return createRedisStore({
        stack,
        setting,
        clock,
        shelf: await shelf(),
        access: placed(setting.connection, reached),
        tools: once(async () => await (await import('../toolchain/redis.ts')).findRedis(told)),
      });
    }
    case 'neo4j': {
      const { createNeo4jStore } = await import('../adapters/neo4j/index.ts');
      return createNeo4jStore({
        stack,
        setting,
        clock,
        env,
        cluster,
        namespace,
        shelf: await shelf(),
        access: placed(setting.connection, reached),
        tools: once(async () => await (await import('../toolchain/neo4j.ts')).findNeo4j(told)),
      });
    }
    case 'sqlserver': {
      const { createSqlServerStore, findSqlcmd } = await import('../adapters/sqlserver/index.ts');
      return createSqlServerStore({
        stack,
        setting,
        clock,
        shelf: await shelf(),
        access: placed(setting.connection, reached),
        program: () => findSqlcmd(env),
      });
    }
  }
}

/** @throws STORE_UNSUPPORTED for a kind whose schema nobody migrates here */
export async function openMigrations(
  store: DataStoreSetting,
  setting: MigrationSetting,
  reached: () => Promise<Reached>,
  { env, ...parts }: Omit<MigrationsOptions, 'store' | 'setting' | 'database'> & { readonly env: Variables },
): Promise<Migrations> {
  if (store.kind !== 'postgres')
    throw new BackstayError('STORE_UNSUPPORTED', `${store.name}: the schema of a ${store.kind} store is not migrated.`);
  const { createMigrations } = await import('../adapters/migrations/index.ts');
  const { createMigrationDatabase } = await import('../adapters/postgres/store/migration-database.ts');
  const database = createMigrationDatabase(accessOf(store, reached, env));
  return createMigrations({ ...parts, store: store.name, setting, database });
}

/** @throws KEY_MISSING */
export async function passwordOf(
  source: PasswordSource,
  home: string,
  keys: KeyReader,
  cluster: () => Promise<Cluster>,
): Promise<string> {
  if (!('secret' in source)) return await keys.read(source);
  const { secret: name, key, namespace = home } = source;
  const found = await (await cluster()).get({ apiVersion: 'v1', kind: 'Secret', namespace, name });
  const value = (found?.['data'] as Readonly<Record<string, string>> | undefined)?.[key];
  if (value !== undefined) return Buffer.from(value, 'base64').toString('utf8');
  throw new BackstayError('KEY_MISSING', `There is no key ${key} in secret/${name} of ${namespace}.`, {
    next: 'Look at the password of the data store in the stack file.',
  });
}
