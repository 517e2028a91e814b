import { join } from 'node:path';
import { type Environment, loadStack, readEnvironment, type Variables } from './config/index.ts';
import type { Stack } from './model/index.ts';
import type {
  Archive,
  Clock,
  Cluster,
  Credentials,
  DataStore,
  Engine,
  Exec,
  InitKeys,
  JournalStore,
  KeyReader,
  Lock,
  PrivateFiles,
  ReadManifests,
  SecretHasher,
  SnapshotStore,
} from './ports/index.ts';
import type { Failpoints } from './adapters/failpoints/index.ts';
import type { ClosableHttpClient } from './adapters/system/index.ts';
import type { ToolProgress } from './toolchain/index.ts';
import { VERSION } from './version.ts';

/**
 * The only place where adapters meet actions. Everything is made when it is first asked for, so that `backstay list`
 * loads neither Pulumi nor the Kubernetes client.
 */
export interface Composition {
  readonly environment: Environment;
  readonly stack: Stack;
  readonly by: { readonly user: string; readonly host: string };
  readonly clock: Clock;
  readonly exec: Exec;
  readonly keys: KeyReader;
  readonly files: PrivateFiles;
  readonly journalName: string;
  readonly store: SnapshotStore;
  readonly readManifests: ReadManifests;
  http(): Promise<ClosableHttpClient>;
  archive(): Promise<Archive>;
  /** In the order of the stack file. None of them is connected before it is asked something. */
  dataStores(): Promise<readonly DataStore[]>;
  hasher(): Promise<SecretHasher>;
  cluster(): Promise<Cluster>;
  journal(): Promise<JournalStore>;
  lock(): Promise<Lock>;
  /** Finds the Pulumi CLI (and builds or fetches it when it is nowhere, with progress). */
  engine(): Promise<Engine>;
  /** As `engine`, but without the cluster. */
  credentials(): Promise<Credentials>;
  close(): Promise<void>;
}

export interface ComposeOptions {
  readonly stack: string;
  readonly env: Variables;
  readonly cwd: string;
  /** Win over the stack file and the environment. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Overrides the stack file's `readyTimeout`. */
  readonly readyTimeoutMs?: number;
  readonly onToolProgress?: (progress: ToolProgress) => void;
}

export async function compose(options: ComposeOptions): Promise<Composition> {
  const { env } = options;
  const environment = readEnvironment(env, options.cwd);
  const loaded = await loadStack(options.stack, { projectDir: environment.projectDir, env });
  const stack: Stack =
    options.readyTimeoutMs === undefined ? loaded : { ...loaded, readyTimeoutMs: options.readyTimeoutMs };
  const system = await import('./adapters/system/index.ts');
  const fs = await import('./adapters/fs/index.ts');
  const by = { user: environment.user, host: environment.host };
  const clock = system.createSystemClock();
  const keys = fs.createKeyReader(env);
  const { around, write } = await failpointsOf(environment);
  const store = around(
    'store',
    fs.createFsSnapshotStore({
      root: environment.snapshotsDir,
      stack,
      keys,
      clock,
      by: { ...by, version: VERSION },
      writeFile: write('snapshot-file.write', fs.writeAtomically, (path) =>
        path.endsWith('index.json') ? 'index' : 'blob',
      ),
    }),
    'snapshot',
  );
  const closers: (() => Promise<void>)[] = [];
  const closing = async <T extends { close(): Promise<void> }>(made: Promise<T>): Promise<T> => {
    const it = await made;
    closers.push(async () => await it.close());
    return it;
  };
  const fence = once(async () => (await import('./adapters/kubernetes/fence.ts')).createFence());
  const cluster = once(async () => {
    const { connectCluster } = await import('./adapters/kubernetes/index.ts');
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
    const { findTool } = await import('./toolchain/index.ts');
    const { path, version } = await findTool('pulumi', {
      env,
      ...(options.onToolProgress ? { onProgress: options.onToolProgress } : {}),
    });
    return {
      stack,
      pulumiPath: path,
      pulumiVersion: version,
      projectName: 'backstay',
      stateDir: join(environment.stateDir, 'pulumi'),
      passphrase: async () => await keys.read(stack.engine.passphrase),
      env: { ...env, ...(await system.childMark('engine', stack.name)) },
    };
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
    journalName: journalFile(environment),
    http: once(async () => {
      const http = await closing(Promise.resolve(system.createHttpClient({ userAgent: `backstay/${VERSION}` })));
      return around('http', http);
    }),
    archive: openArchive,
    dataStores: once(async () => {
      const { createPostgresStore } = await import('./adapters/postgres/store/index.ts');
      const root = join(environment.stateDir, 'backups');
      return stack.stores.map((setting) => {
        const { password } = setting.connection;
        const read = async () => (password === undefined ? undefined : await keys.read(password));
        return around(
          'dataStore',
          createPostgresStore({ stack: stack.name, setting, password: read, root, clock, env }),
          'data-store',
        );
      });
    }),
    hasher: once(async () => fs.createSecretHasher(await keys.read(stack.secrets.comparisonKey))),
    cluster: once(async () => (await fence()).cluster(around('cluster', await cluster()))),
    journal: once(async () => await closing(createJournal(environment))),
    lock: once(async () => {
      const { createLeaseLock } = await import('./adapters/kubernetes/lease.ts');
      const own = around('cluster', await cluster(), 'lease');
      const { leaseNamespace: namespace, leaseDurationMs: durationMs } = stack.cluster;
      const lock = createLeaseLock(own, { namespace, durationMs, clock, host: by.host });
      return around('lock', (await fence()).lock(system.withoutOrphans(lock, clock)), 'lease');
    }),
    engine: once(async () => {
      const { createPulumiEngine } = await import('./adapters/pulumi/index.ts');
      // What the provider writes has points of its own: they lie inside those of the engine.
      const own = (await fence()).cluster(around('cluster', await cluster(), 'provider'));
      return around('engine', createPulumiEngine({ ...(await pulumi()), cluster: own }));
    }),
    credentials: once(async () => {
      const { createPulumiCredentials } = await import('./adapters/pulumi/index.ts');
      return createPulumiCredentials(await pulumi());
    }),
    close: async () => {
      await Promise.allSettled(closers.map(async (close) => await close()));
    },
  };
}

/** The journal without a stack: for `history` and `report`, and to learn the stack of a run. */
export async function openJournal(
  env: Variables,
  cwd: string,
): Promise<{
  readonly journal: JournalStore;
  readonly reportDeps: { readonly journal: JournalStore; readonly files: PrivateFiles; readonly stateDir: string };
  reportPath(run: string): string;
  archive(): Promise<Archive>;
  close(): Promise<void>;
}> {
  const environment = readEnvironment(env, cwd);
  const system = await import('./adapters/system/index.ts');
  const [journal, { around }] = await Promise.all([createJournal(environment), failpointsOf(environment)]);
  return {
    journal,
    reportDeps: { journal, files: around('files', system.createPrivateFiles()), stateDir: environment.stateDir },
    archive: openArchive,
    reportPath: (run) => join(environment.stateDir, 'runs', run, 'report.md'),
    close: async () => await journal.close(),
  };
}

async function openArchive(): Promise<Archive> {
  return (await import('./adapters/archive/index.ts')).createArchive();
}

const journalFile = (environment: Environment): string => join(environment.stateDir, 'journal.sqlite');

async function createJournal(environment: Environment): Promise<JournalStore> {
  const { createSqliteJournal } = await import('./adapters/sqlite/index.ts');
  const { around } = await failpointsOf(environment);
  return around('journal', await createSqliteJournal({ file: journalFile(environment) }));
}

/** Counts reaches for the whole process, whichever adapter they belong to. */
let failpoints: Promise<Failpoints> | undefined;

async function failpointsOf({ failpoints: settings }: Environment): Promise<Failpoints> {
  if (settings === undefined) return { around: (_port, adapter) => adapter, write: (_name, act) => act };
  failpoints ??= import('./adapters/failpoints/index.ts').then(({ createFailpoints }) => createFailpoints(settings));
  return await failpoints;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** Makes the key files of a stack (the action decides what to say about them). */
export const initKeys: InitKeys = async (stack, directory, owner) => {
  const fs = await import('./adapters/fs/index.ts');
  return await fs.initKeys(stack, directory, owner);
};
