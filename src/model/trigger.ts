import type { Scope } from './phase.ts';
import type { HttpTarget } from './stack.ts';

/** What alerts, and thresholds of our own, may do to a stack. */
export interface TriggerPolicy {
  /** `propose`: a plan is made and a person is asked. `automatic`: it is carried out, where no policy asks for a person. */
  readonly mode: 'propose' | 'automatic';
  /** As it would be typed after `--to`. @default 'known-good' */
  readonly target: string;
  /** @default full */
  readonly scope: Scope;
  /** Of the stack's severities; absent: the alert's label `severity` where the policy knows it. */
  readonly severity?: string;
  /** Milliseconds for which nothing new may fire before anything is proposed: a storm is one event. @default 30_000 */
  readonly settleMs: number;
  /** Milliseconds: an alert that began earlier and is told only now starts nothing. @default 15 min */
  readonly staleMs: number;
  /** Milliseconds after the end of a run for which alerts of the same stack only notify. @default 30 min */
  readonly quietMs: number;
  /** Which alerts concern us. */
  readonly alerts: {
    /** Labels that an alert must carry. @default `{rollback_trigger: 'true'}` */
    readonly match: Readonly<Record<string, string>>;
    /** The label that names the stack. @default 'stack' */
    readonly stackLabel: string;
  };
  /** Thresholds that a service watches by itself. */
  readonly watches: readonly WatchSetting[];
}

/** With fewer requests in its window, a share or a percentile says nothing. */
export const WATCH_LEAST_SAMPLES = 10;

/** Fires when `measure` is beyond its limit for so long. What cannot be measured never fires. */
export interface WatchSetting {
  readonly name: string;
  readonly measure: /** The value of an instant query; none, or several, are unknown. `prometheus` is the base of its HTTP API. */
    | { readonly kind: 'prometheus'; readonly prometheus: HttpTarget; readonly query: string }
    /** A route that is asked every `everyMs`: 1 while it fails, 0 while it answers. */
    | { readonly kind: 'failing'; readonly target: HttpTarget; readonly accept: readonly number[] }
    /** Share of failed requests in the window, 0 to 1. */
    | {
        readonly kind: 'error-rate';
        readonly target: HttpTarget;
        readonly accept: readonly number[];
        readonly windowMs: number;
      }
    /** 95th percentile of the window, milliseconds. */
    | {
        readonly kind: 'latency';
        readonly target: HttpTarget;
        readonly accept: readonly number[];
        readonly windowMs: number;
      };
  /** A number, or so many times what was recorded while the stack was well. */
  readonly above: { readonly value: number } | { readonly timesBaseline: number } | { readonly overBaseline: number };
  /** Milliseconds without interruption. */
  readonly forMs: number;
  /** Milliseconds between measurements. @default 15_000 */
  readonly everyMs: number;
}

/** One alert as a trigger sees it, from Alertmanager or a watch of our own. */
export interface Alert {
  /** `alertmanager` or `watch`. */
  readonly source: 'alertmanager' | 'watch';
  readonly name: string;
  readonly stack: string;
  readonly status: 'firing' | 'resolved';
  readonly groupKey: string;
  readonly fingerprint: string;
  /** ISO 8601. */
  readonly startsAt: string;
  readonly endsAt?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly summary?: string;
  /** Where a person reads more: the rule, the runbook. */
  readonly url?: string;
}

export const PROPOSAL_STATES = ['planning', 'open', 'started', 'dismissed', 'settled', 'expired'] as const;

/** What a trigger asks for. */
export interface Proposal {
  readonly id: string;
  readonly stack: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly alerts: readonly Alert[];
  readonly mode: TriggerPolicy['mode'];
  readonly target: string;
  /** Digest of the plan that was made for it; absent while, or because, none could be made: then `problem` says why. */
  readonly plan?: string;
  readonly problem?: { readonly code: string; readonly message: string; readonly next?: string };
  readonly state: (typeof PROPOSAL_STATES)[number];
  /** Why it is in this state. */
  readonly because?: string;
  readonly run?: string;
  /** Who started or dismissed it. */
  readonly by?: string;
  /** Whose that is, as of a principal. */
  readonly person?: string;
  /** ISO 8601. */
  readonly decidedAt?: string;
}
