import type { CheckResult, CheckSetting, FlagValue, JsonObject, KubeObject, Scope, Stack } from '../model/index.ts';
import type { Clock, Cluster, HttpClient } from '../ports/index.ts';

export interface CheckContext {
  readonly cluster: Cluster;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly stack: Stack;
  /** `named`: the settings were chosen by name, so their own `when` does not count. */
  readonly when: 'capture' | 'before' | 'after' | 'named';
  /** Flags as they are now; `onlyIf` is decided by them. */
  readonly flags: readonly FlagValue[];
  /** The workloads of the stack, for a rollout check that names none. @default listed from the cluster */
  readonly inventory?: readonly KubeObject[];
  /** What the run touches; checks of other scopes are not asked. @default everything */
  readonly scope?: Scope;
  /** For the files of canary checks: the stack file's folder. */
  readonly baseDir: string;
  readonly signal?: AbortSignal;
  /** Told as soon as each is measured. */
  readonly onResult?: (result: CheckResult) => void;
}

/** What a single check found; name, kind and times are added around it. */
export interface Finding {
  readonly verdict: CheckResult['verdict'];
  readonly reason: string;
  readonly measured?: JsonObject;
}

export type CheckOf<K extends CheckSetting['kind']> = Extract<CheckSetting, { kind: K }>;

/** Measures one check. What it throws is a measurement that failed: unknown. */
export type Measure<K extends CheckSetting['kind']> = (
  setting: CheckOf<K>,
  context: CheckContext & { readonly signal: AbortSignal },
) => Promise<Finding>;
