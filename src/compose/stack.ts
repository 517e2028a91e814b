import { join } from 'node:path';
import { type Environment, loadStack, readEnvironment, type Variables } from '../config/index.ts';
import { BackstayError } from '../errors/index.ts';
import type { Person } from '../journal/index.ts';
import type { DataStoreSetting, Stack } from '../model/index.ts';
import type {
  Archive,
  Clock,
  Cluster,
  Credentials,
  DataStore,
  Engine,
  Exec,
  JournalStore,
  KeyReader,
  Lock,
  Migrations,
  PrivateFiles,
  ReadManifests,
  SecretHasher,
  SnapshotStore,
  StateLock,
} from '../ports/index.ts';
import type { ClosableHttpClient } from '../adapters/system/index.ts';
import { failpointsOf } from './failpoints.ts';
import { createJournal, type JournalPlace, journalPlace, openArchive } from './journal.ts';
import { memoized, once } from './once.ts';
import { openSnapshots, type SnapshotsPlace, snapshotsPlace } from './snapshots.ts';
import { accessOf, openMigrations, openStore, passwordOf, placeOf, type Reached } from './stores.ts';
import type { ToolProgress } from '../toolchain/index.ts';
import { VERSION } from '../version.ts';

/** As Pulumi knows it: part of every URN. */
const PROJECT_NAME = 'backstay';

/** All that works on one stack; most of it is made when it is first asked for. */
export interface Composition extends JournalPlace, SnapshotsPlace {
  readonly environment: Environment;
  readonly stack: Stack;
  readonly by: Person;
  readonly clock: Clock;
  readonly exec: Exec;
  readonly keys: KeyReader;
  readonly files: PrivateFiles;
  readonly store: SnapshotStore;
  readonly readManifests: ReadManifests;
  http(): Promise<ClosableHttpClient>;
  archive(): Promise<Archive>;
  /** In the order of the stack file. None of them is connected before it is asked something. */
  dataStores(): Promise<readonly DataStore[]>;
  /** Of each store whose setting has migrations. None of them is asked anything before it is told to. */
  migrations(): Promise<readonly Migrations[]>;
  hasher(): Promise<SecretHasher>;
  cluster(): Promise<Cluster>;
  journal(): Promise<JournalStore>;
  lock(): Promise<Lock>;
  /** The lease in a data store's own server, for a run that may not ask the cluster. @throws STORE_UNKNOWN, STORE_UNSUPPORTED */
  databaseLock(store: string): Promise<Lock>;
  /** Finds the Pulumi CLI (and builds or fetches it when it is nowhere, with progress). */
  engine(): Promise<Engine>;
  /** Who holds the stack in Pulumi's own backend; asked without the CLI. */
  stateLocks(): Promise<readonly StateLock[]>;
  /** As `engine`, but without the cluster. */
  credentials(): Promise<Credentials>;
  close(): Promise<void>;
}

export interface ComposeOptions {
  readonly stack: string;
  readonly env: Variables;
  readonly cwd: string;
  /** Who acts: what journals and records name. @default the person at this machine */
  readonly by?: Person;
  /** One that is open already: used, and left open. @default opened when it is first asked for */
  readonly journal?: JournalStore;
  /** Win over the stack file and the environment. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Overrides the stack file's `readyTimeout`. */
  readonly readyTimeoutMs?: number;
  /** Told what a person should know and what stops nothing. */
  readonly onWarning?: (message: string) => void;
  readonly onToolProgress?: (progress: ToolProgress) => void;
}

export async function compose(options: ComposeOptions): Promise<Composition> {
  const { env } = options;
  const environment = readEnvironment(env, options.cwd);
  const loaded = await loadStack(options.stack, { projectDir: environment.projectDir, env });
  const stack: Stack =
    options.readyTimeoutMs === undefined ? loaded : { ...loaded, readyTimeoutMs: options.readyTimeoutMs };
  const system = await import('../adapters/system/index.ts');
  const fs = await import('../adapters/fs/index.ts');
  const by = options.by ?? { user: environment.user, host: environment.host };
  const clock = system.createSystemClock();
  const keys = fs.createKeyReader(env);
  const { around } = await failpointsOf(environment);
  const closers: (() => Promise<void>)[] = [];
  let isClosed = false;
  const store = around(
    'store',
    await openSnapshots(
      environment,
      { stack, keys, clock, by: { user: by.user, host: by.host, version: VERSION } },
      (close) => closers.push(close),
    ),
    'snapshot',
  );
  const closing = async <T extends { close(): Promise<void> }>(made: Promise<T>): Promise<T> => {
    const it = await made;
    // Whoever asked for it may have failed with something else meanwhile, and nobody would close it any more.
    if (isClosed) await it.close();
    else closers.push(async () => await it.close());
    return it;
  };
  const fence = once(async () => (await import('../adapters/kubernetes/fence.ts')).createFence());
  const cluster = once(async () => {
    const { connectCluster } = await import('../adapters/kubernetes/index.ts');
    const kubeconfig = options.kubeconfig ?? stack.cluster.kubeconfig ?? environment.kubeconfig;
    const context = options.context ?? stack.cluster.context;
    return await closing(
      connectCluster({
        env,
        userAgent: `backstay/${VERSION}`,
        ...(kubeconfig ? { kubeconfig } : {}),
        ...(context ? { context } : {}),
      }),
    );
  });
  const pulumi = once(async () => {
    const { findTool } = await import('../toolchain/index.ts');
    const { path, version } = await findTool('pulumi', {
      env,
      ...(options.onToolProgress ? { onProgress: options.onToolProgress } : {}),
    });
    return {
      stack,
      pulumiPath: path,
      pulumiVersion: version,
      projectName: PROJECT_NAME,
      stateDir: join(environment.stateDir, 'pulumi'),
      passphrase: async () => await keys.read(stack.engine.passphrase),
      env: { ...env, ...(await system.childMark('engine', stack.name)) },
    };
  });
  const home = stack.namespaces[0] ?? 'default';
  /** How a store is reached, opened once for all who ask. */
  const ways = memoized(({ connection: { via, password } }: DataStoreSetting) => {
    const forward = once(
      async () => await closing((await cluster()).forward({ namespace: home, ...(via ?? { service: '', port: 0 }) })),
    );
    return async (): Promise<Reached> => ({
      place: via === undefined ? {} : placeOf(await forward()),
      password: password === undefined ? undefined : await passwordOf(password, home, keys, cluster),
    });
  });
  return {
    environment,
    stack,
    by,
    clock,
    keys,
    store,
    readManifests: fs.readManifests,
    exec: around('exec', system.createExec({ env, mark: async () => await system.childMark('command', stack.name) })),
    files: around('files', system.createPrivateFiles()),
    ...(await journalPlace(environment)),
    ...(await snapshotsPlace(environment)),
    http: once(async () => {
      const http = await closing(Promise.resolve(system.createHttpClient({ userAgent: `backstay/${VERSION}` })));
      return around('http', http);
    }),
    archive: openArchive,
    dataStores: once(async () => {
      const told = options.onToolProgress === undefined ? {} : { onToolProgress: options.onToolProgress };
      const own = { cluster: once(async () => (await fence()).cluster(await cluster())), namespace: home };
      const opened = { stack: stack.name, root: join(environment.stateDir, 'backups'), clock, env, ...own, ...told };
      return await Promise.all(
        stack.stores.map(async (setting) =>
          around('dataStore', await openStore(setting, ways(setting), opened), 'data-store'),
        ),
      );
    }),
    migrations: once(async () => {
      const parts = {
        // Its own points lie around it: a question to a tool is no write.
        exec: system.createExec({ env, mark: async () => await system.childMark('command', stack.name) }),
        cluster: once(async () => (await fence()).cluster(await cluster())),
        namespace: home,
        clock,
      };
      return await Promise.all(
        stack.stores.flatMap((setting) =>
          'migrations' in setting && setting.migrations !== undefined
            ? [openMigrations(setting, setting.migrations, ways(setting), { ...parts, env })]
            : [],
        ),
      ).then((opened) => opened.map((one) => around('migrations', one)));
    }),
    hasher: once(async () => fs.createSecretHasher(await keys.read(stack.secrets.comparisonKey))),
    cluster: once(async () => (await fence()).cluster(around('cluster', await cluster()))),
    journal: once(async () => options.journal ?? (await closing(createJournal(environment, options.onWarning)))),
    lock: once(async () => {
      const { createLeaseLock } = await import('../adapters/kubernetes/lease.ts');
      const own = around('cluster', await cluster(), 'lease');
      const { leaseNamespace: namespace, leaseDurationMs: durationMs } = stack.cluster;
      const lock = createLeaseLock(own, { namespace, durationMs, clock, host: environment.host });
      return around('lock', (await fence()).lock(system.withoutOrphans(lock, clock)), 'lease');
    }),
    databaseLock: async (name) => {
      const setting = stack.stores.find((one) => one.name === name);
      if (setting?.kind !== 'postgres')
        throw new BackstayError('STORE_UNSUPPORTED', `The data store ${name} cannot hold the lease of a run.`);
      const [{ createLeaseLock }, { createLeaseTable }] = await Promise.all([
        import('../adapters/kubernetes/lease.ts'),
        import('../adapters/postgres/store/lease-table.ts'),
      ]);
      const table = createLeaseTable(accessOf(setting, ways(setting), env));
      const { leaseNamespace: namespace, leaseDurationMs: durationMs } = stack.cluster;
      const lock = createLeaseLock(table, { namespace, durationMs, clock, host: environment.host });
      return around('lock', system.withoutOrphans(lock, clock), 'lease');
    },
    engine: once(async () => {
      const { createPulumiEngine } = await import('../adapters/pulumi/index.ts');
      // What the provider writes has points of its own: they lie inside those of the engine.
      const own = (await fence()).cluster(around('cluster', await cluster(), 'provider'));
      return around('engine', createPulumiEngine({ ...(await pulumi()), cluster: own }));
    }),
    stateLocks: async () => {
      const { stateLocks } = await import('../adapters/pulumi/state-locks.ts');
      return await stateLocks(stack, PROJECT_NAME);
    },
    credentials: once(async () => {
      const { createPulumiCredentials } = await import('../adapters/pulumi/index.ts');
      return createPulumiCredentials(await pulumi());
    }),
    close: async () => {
      isClosed = true;
      await Promise.allSettled(closers.map(async (close) => await close()));
    },
  };
}
