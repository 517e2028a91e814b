import { listStacks, loadStack, readEnvironment, type Variables } from '../config/index.ts';
import type { Person } from '../journal/index.ts';
import type { ReachedStack, ServiceDeps } from '../service/deps.ts';
import { RunFeeds } from '../service/feeds.ts';
import { VERSION } from '../version.ts';
import { observeDepsOf, planDepsOf, requestDepsOf, runDepsOf } from './deps.ts';
import { failpointsOf } from './failpoints.ts';
import { createJournal, createRecords, journalPlace } from './journal.ts';
import { compose, type ComposeOptions } from './stack.ts';

export interface ServiceOptions
  extends Pick<ComposeOptions, 'kubeconfig' | 'context' | 'onWarning' | 'onToolProgress'> {
  readonly env: Variables;
  readonly cwd: string;
}

/** What a service stands on. Stacks are composed anew for each piece of work: their files and clusters may change. */
export async function openService(options: ServiceOptions): Promise<ServiceDeps & { close(): Promise<void> }> {
  const { env, cwd, ...reach } = options;
  const environment = readEnvironment(env, cwd);
  const { projectDir, stateDir } = environment;
  const [system, fs, { around }] = await Promise.all([
    import('../adapters/system/index.ts'),
    import('../adapters/fs/index.ts'),
    failpointsOf(environment),
  ]);
  const journal = await createJournal(environment, options.onWarning);
  const records = await createRecords(environment, options.onWarning).catch(async (error: unknown) => {
    await journal.close();
    throw error;
  });
  const http = system.createHttpClient({ userAgent: `backstay/${VERSION}` });
  const by: Person = { user: 'service', host: environment.host };
  return {
    records,
    journal,
    feeds: new RunFeeds(journal),
    journalName: (await journalPlace(environment)).journalName,
    clock: system.createSystemClock(),
    http: around('http', http),
    keys: fs.createKeyReader(env),
    files: around('files', system.createPrivateFiles()),
    processes: system.createRunProcesses({
      env,
      cwd,
      ...(reach.kubeconfig === undefined ? {} : { kubeconfig: reach.kubeconfig }),
      ...(reach.context === undefined ? {} : { context: reach.context }),
    }),
    by,
    stateDir,
    projectDir,
    stackNames: async () => await listStacks(projectDir),
    stack: async (name) => await loadStack(name, { projectDir, env }),
    withStack: async (name, actor, work) => {
      const composition = await compose({ ...reach, stack: name, env, cwd, by: actor, journal });
      const reached: ReachedStack = {
        stack: composition.stack,
        store: composition.store,
        planDeps: async () => await planDepsOf(composition),
        observeDeps: async () => await observeDepsOf(composition),
        requestDeps: async () => await requestDepsOf(composition),
        runDeps: async (reporter) => await runDepsOf(composition, reporter),
      };
      try {
        return await work(reached);
      } finally {
        await composition.close();
      }
    },
    close: async () => {
      await Promise.allSettled([records.close(), journal.close(), http.close()]);
    },
  };
}
