import { type CaptureResult, capture } from '../actions/capture.ts';
import { diffStack, type StackDiff } from '../actions/diff.ts';
import { history, type PastRun, stackOfRun } from '../actions/history.ts';
import { NO_OPTIONS, planRollback, type PlanResult } from '../actions/plan.ts';
import { requireSaid } from '../actions/require-said.ts';
import type { RollbackResult, RunEnded } from '../actions/rollback.ts';
import { listSnapshots, type SnapshotDetails, type SnapshotList, showSnapshot } from '../actions/snapshots.ts';
import type { WatchResult } from '../actions/watch.ts';
import { compose, type Composition, openJournal, planDepsOf, runDepsOf } from '../compose.ts';
import { listStacks, loadStack, processEnvironment, readEnvironment, type Variables } from '../config/index.ts';
import type { Plan, PlanOptions, RunEvent, Scope, Stack } from '../model/index.ts';
import type { JournalStore, Reporter } from '../ports/index.ts';
import { watchedEvents } from './events.ts';
import type { CaptureAsked, OpenOptions, PlanAsked, ResumeAsked, RunAsked, UndoAsked } from './options.ts';

type Journal = Awaited<ReturnType<typeof openJournal>>;

/**
 * Backstay in a program of one's own: the verbs of the command line, with the same refusals. Nothing is asked twice and
 * nothing is printed; expected outcomes are results, everything else throws a BackstayError. A stack is read and connected
 * for each call, so that its file and its cluster may change in between.
 */
export class Backstay implements AsyncDisposable {
  readonly #options: OpenOptions;
  readonly #env: Variables;
  readonly #projectDir: string;
  readonly #opened: Journal;

  private constructor(options: OpenOptions, env: Variables, projectDir: string, opened: Journal) {
    this.#options = options;
    this.#env = env;
    this.#projectDir = projectDir;
    this.#opened = opened;
  }

  /** Opens the journal; no cluster is asked. @throws JOURNAL_UNREACHABLE, JOURNAL_BROKEN */
  static async open(options: OpenOptions = {}): Promise<Backstay> {
    const { projectDir, user, onWarning } = options;
    const env: Variables = {
      ...(options.env ?? processEnvironment()),
      ...(projectDir === undefined ? {} : { BACKSTAY_PROJECT_DIR: projectDir }),
      ...(user === undefined ? {} : { BACKSTAY_USER: user }),
    };
    const found = readEnvironment(env).projectDir;
    return new Backstay(options, env, found, await openJournal(env, found, onWarning));
  }

  /** Names of the stack files. */
  async stacks(): Promise<readonly string[]> {
    return await listStacks(this.#projectDir);
  }

  /** A stack as its file says now. @throws STACK_UNKNOWN, STACK_INVALID */
  async stack(name: string): Promise<Stack> {
    return await loadStack(name, { projectDir: this.#projectDir, env: this.#env });
  }

  /** Stores what the stack is now, as a signed snapshot. */
  async capture(stack: string, asked: CaptureAsked = {}): Promise<CaptureResult> {
    const { checks = true, ...rest } = asked;
    return await this.#with(stack, async (composition) => {
      const { store, clock } = composition;
      const [cluster, hasher, http] = await Promise.all([
        composition.cluster(),
        composition.hasher(),
        composition.http(),
      ]);
      const migrations = async () => await composition.migrations();
      const deps = { stack: composition.stack, cluster, store, hasher, http, clock, migrations };
      return await capture({ ...rest, checks: checks ? 'ask' : 'none' }, deps);
    });
  }

  /** The snapshots, newest first; damaged ones apart. */
  async list(stack: string): Promise<SnapshotList> {
    return await this.#with(stack, async ({ store }) => await listSnapshots(stack, { store }));
  }

  async show(stack: string, target: string): Promise<SnapshotDetails> {
    return await this.#with(
      stack,
      async ({ store }) => await showSnapshot({ stack, target, allowUnsigned: false }, { store }),
    );
  }

  /** Live against a target, or one snapshot against another. */
  async diff(
    stack: string,
    asked: { readonly to: string; readonly from?: string; readonly scope?: Scope },
  ): Promise<StackDiff> {
    const { to, from, scope = { kind: 'full' } } = asked;
    return await this.#with(stack, async (composition) => {
      const deps = await planDepsOf(composition);
      return await diffStack(from === undefined ? { to, scope } : { to, from, scope }, deps);
    });
  }

  /**
   * What a rollback would do, frozen. Changes nothing, unless data is to be restored from a moment of the past, which is made
   * a backup first. @throws USAGE where the stack wants a reason or a severity; as planRollback
   */
  async plan(stack: string, asked: PlanAsked): Promise<PlanResult> {
    const { target, scope = { kind: 'full' }, onInvalid, signal, ...said } = asked;
    const given = optionsOf(said);
    return await this.#with(stack, async (composition) => {
      requireSaid(composition.stack, given, `A rollback of ${stack}`);
      const options = await this.#recovered(given, composition, signal);
      const wanted = { target, scope, options, ...(onInvalid === undefined ? {} : { onInvalid }) };
      return await planRollback(
        { ...wanted, ...(signal === undefined ? {} : { signal }) },
        await planDepsOf(composition),
      );
    });
  }

  /** Carries a plan out in this process. One that was altered, or that is stale, is refused. */
  async rollback(plan: Plan, asked: RunAsked = {}): Promise<RollbackResult> {
    const { onEvent, ...rest } = asked;
    const [{ rollback }, { undo }, { requireFinished }] = await Promise.all([
      import('../actions/rollback.ts'),
      import('../actions/undo.ts'),
      import('../actions/unfinished.ts'),
    ]);
    return await this.#with(plan.stack, async (composition) => {
      const deps = await runDepsOf(composition, reporterOf(onEvent));
      if (plan.undoes !== undefined) return await undo({ ...rest, plan }, deps);
      const { abandon } = asked;
      await requireFinished({ stack: plan.stack, ...(abandon === undefined ? {} : { abandon }) }, deps);
      return await rollback({ ...rest, plan }, deps);
    });
  }

  /** Goes on with a run that was cut off, halted, or approved. */
  async resume(run: string, { onEvent, ...rest }: ResumeAsked = {}): Promise<RunEnded> {
    const { resume } = await import('../actions/resume.ts');
    return await this.#with(
      await stackOfRun(run, this.#opened),
      async (composition) => await resume({ ...rest, run }, await runDepsOf(composition, reporterOf(onEvent))),
    );
  }

  /** The plan that takes a run back; `rollback` carries it out. */
  async planUndo(run: string, asked: UndoAsked = {}): Promise<Plan> {
    const { onInvalid, signal, ...said } = asked;
    const options = { ...optionsOf(said), hold: false };
    const { planUndo } = await import('../actions/undo.ts');
    return await this.#with(await stackOfRun(run, this.#opened), async (composition) => {
      requireSaid(composition.stack, options, `To undo a run of ${composition.stack.name}`);
      const [deps, journal] = await Promise.all([planDepsOf(composition), composition.journal()]);
      const more = { ...(onInvalid === undefined ? {} : { onInvalid }), ...(signal === undefined ? {} : { signal }) };
      return (await planUndo({ run, options, ...more }, { ...deps, journal })).plan;
    });
  }

  /** Takes the effect of a run back: one more transition, to what the stack was before it. */
  async undo(run: string, asked: UndoAsked = {}, how: RunAsked = {}): Promise<RollbackResult> {
    return await this.rollback(await this.planUndo(run, asked), how);
  }

  /** The runs, newest first. */
  async history(asked: { readonly stack?: string; readonly limit?: number } = {}): Promise<readonly PastRun[]> {
    return await history(asked, this.#opened);
  }

  /** The events of a run, whoever carries it; `for await` ends with it. */
  watch(run: string, asked: { readonly signal?: AbortSignal } = {}): AsyncGenerator<RunEvent, WatchResult, void> {
    return watchedEvents({ run, ...asked }, this.#journal);
  }

  async close(): Promise<void> {
    await this.#opened.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #journal(): JournalStore {
    return this.#opened.journal;
  }

  async #recovered(options: PlanOptions, composition: Composition, signal?: AbortSignal): Promise<PlanOptions> {
    if (options.data?.restore === undefined) return options;
    const { withMoments } = await import('../actions/db-past.ts');
    return await withMoments(options, async () => await composition.dataStores(), {
      stack: composition.stack.name,
      tell: this.#options.onWarning ?? (() => undefined),
      signal: signal ?? new AbortController().signal,
    });
  }

  async #with<T>(stack: string, work: (composition: Composition) => Promise<T>): Promise<T> {
    const { kubeconfig, context, onWarning } = this.#options;
    const composition = await compose({
      stack,
      env: this.#env,
      cwd: this.#projectDir,
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(context === undefined ? {} : { context }),
      ...(onWarning === undefined ? {} : { onWarning }),
    });
    try {
      return await work(composition);
    } finally {
      await composition.close();
    }
  }
}

/** An option that was given as undefined was not given. */
function optionsOf(said: Partial<PlanOptions>): PlanOptions {
  const given = Object.entries(said).filter(([, value]) => value !== undefined);
  return { ...NO_OPTIONS, ...(Object.fromEntries(given) as Partial<PlanOptions>) };
}

function reporterOf(onEvent: ((event: RunEvent) => void) | undefined): Reporter {
  return { report: (event) => onEvent?.(event) };
}
