import type { Trigger } from '../actions/require-person.ts';
import type { RollbackOptions } from '../actions/rollback.ts';
import type { Variables } from '../config/index.ts';
import type { CheckResult, PlanOptions, RunEvent, Scope } from '../model/index.ts';

export interface OpenOptions {
  /** The folder that holds `stacks/` and `snapshots/`. @default $BACKSTAY_PROJECT_DIR, else the nearest one upwards */
  readonly projectDir?: string;
  /** Instead of the environment of the process: folders, keys and the journal's database come from it. */
  readonly env?: Variables;
  /** Win over the stack file and $KUBECONFIG. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Whom journals and records name. @default $BACKSTAY_USER, else the login name */
  readonly user?: string;
  /** What stops nothing and a person should know. */
  readonly onWarning?: (message: string) => void;
}

export interface CaptureAsked {
  readonly labels?: readonly string[];
  readonly note?: string;
  /** Ask the checks of the stack: only what passes them is known good. @default true */
  readonly checks?: boolean;
  readonly onCheck?: (result: CheckResult) => void;
  readonly signal?: AbortSignal;
}

/** As the options of `backstay rollback`; docs/plans.md. */
export interface PlanAsked extends Partial<PlanOptions> {
  /** Snapshot id, label, `previous`, `known-good`, or `deployment/NAME@REVISION`. */
  readonly target: string;
  /** @default full */
  readonly scope?: Scope;
  /** When the checks fail at the target. @default the stack file */
  readonly onInvalid?: 'halt' | 'return';
  readonly signal?: AbortSignal;
}

export interface UndoAsked extends Partial<PlanOptions> {
  readonly onInvalid?: 'halt' | 'return';
  readonly signal?: AbortSignal;
}

export interface ResumeAsked {
  /** Stay until the run is approved, where it has to be. @default false: it ends `waiting` */
  readonly wait?: boolean;
  /** Stops between two steps; the run goes on with `resume`. */
  readonly signal?: AbortSignal;
  /** Breaks off what is under way. */
  readonly abort?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}

export interface RunAsked extends ResumeAsked {
  /** Who or what asks. Nothing automatic takes back a rollback. @default person */
  readonly trigger?: Trigger;
  /** The unfinished run that keeps others from the stack, given up. */
  readonly abandon?: NonNullable<RollbackOptions['abandon']>;
}
