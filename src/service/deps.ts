import type { ObserveDeps } from '../actions/observe/index.ts';
import type { PlanDeps } from '../actions/plan.ts';
import type { RequestDeps } from '../actions/request.ts';
import type { RollbackDeps } from '../actions/rollback.ts';
import type { Person } from '../journal/index.ts';
import type { Stack } from '../model/index.ts';
import type {
  Clock,
  CommandProcesses,
  HttpClient,
  JournalStore,
  KeyReader,
  PrivateFiles,
  Reporter,
  RunProcesses,
  ServiceStore,
  SnapshotStore,
} from '../ports/index.ts';
import type { RunFeeds } from './feeds.ts';

/** What everything of a service stands on. Made once; compose/service.ts fills it. */
export interface ServiceDeps {
  readonly records: ServiceStore;
  readonly journal: JournalStore;
  /** Its runs as they go on, read once for all who watch. */
  readonly feeds: RunFeeds;
  /** As people and leases know the journal. */
  readonly journalName: string;
  readonly clock: Clock;
  readonly http: HttpClient;
  readonly keys: KeyReader;
  readonly files: PrivateFiles;
  readonly processes: RunProcesses & CommandProcesses;
  /** Who this service is where nobody else is asked for: `service` and the machine. */
  readonly by: Person;
  readonly stateDir: string;
  readonly projectDir: string;
  /** Names of the stack files that there are now. */
  stackNames(): Promise<readonly string[]>;
  /** The stack as its file says now. @throws STACK_UNKNOWN, STACK_INVALID */
  stack(name: string): Promise<Stack>;
  /** Composes a stack, works with it, closes every connection. `by` acts in it: what journals and records name. */
  withStack<T>(name: string, by: Person, work: (reached: ReachedStack) => Promise<T>): Promise<T>;
}

/** One stack with its cluster, stores and keys; connected when first asked something. */
export interface ReachedStack {
  readonly stack: Stack;
  /** Reached without the cluster. */
  readonly store: SnapshotStore;
  /** Reads alone: no lease, no engine. */
  planDeps(): Promise<PlanDeps>;
  /** For watching it after a run. */
  observeDeps(): Promise<Omit<ObserveDeps, 'reporter'>>;
  /** For asking for a run: no engine is looked for, which may have to be fetched first. */
  requestDeps(): Promise<RequestDeps>;
  /** Everything. In the service itself only what waits for nothing: runs are carried in processes of their own. */
  runDeps(reporter: Reporter): Promise<RollbackDeps>;
}
