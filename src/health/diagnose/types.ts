import type { FlagValue, KubeObject, ObjectKey } from '../../model/index.ts';

/** Sections of a diagnosis, in the order in which they are shown. */
export const SECTIONS = [
  'workloads',
  'revisions',
  'pods',
  'events',
  'services',
  'ingress',
  'resources',
  'names',
  'databases',
  'storage',
  'lease',
  'runs',
  'snapshots',
  'keys',
  'flags',
  'drift',
  'engine',
] as const;
export type Section = (typeof SECTIONS)[number];

/** `unknown`: it could not be measured, which is neither good nor bad. */
export type Grade = 'ok' | 'warn' | 'bad' | 'unknown';

/** One thing that a person should look at. */
export interface Finding {
  readonly section: Section;
  readonly grade: Exclude<Grade, 'ok'>;
  /** `pod/gateway-5f in production`. */
  readonly subject: string;
  readonly message: string;
  /** The command that leads on. */
  readonly next: string;
}

export interface SectionVerdict {
  readonly section: Section;
  readonly grade: Grade;
  /** In one line: what was looked at, also when nothing is wrong. */
  readonly message: string;
}

export interface Diagnosis {
  readonly grade: Grade;
  /** The worst first. */
  readonly findings: readonly Finding[];
  readonly sections: readonly SectionVerdict[];
}

/** What one section says. `summary` is for when nothing is wrong with it. */
export interface Said {
  readonly summary: string;
  readonly findings: readonly Omit<Finding, 'section'>[];
}

/** What was seen, or why it could not be seen. */
export type Seen<T> = { readonly value: T } | { readonly why: string };

export interface EventSeen {
  /** ISO 8601. */
  readonly at: string;
  readonly type: string;
  readonly reason: string;
  /** `pod/gateway-5f`. */
  readonly object: string;
  readonly namespace: string;
  readonly message: string;
  readonly count: number;
}

/** Whether something answers that is asked for from inside of the stack. */
export interface Reached {
  readonly name: string;
  readonly reached: boolean | 'unknown';
  /** From where, and what came back. */
  readonly said: string;
}

export interface RunSeen {
  readonly run: string;
  readonly outcome: string;
  readonly phase: string;
  readonly startedAt: string;
  readonly resumable: boolean;
}

export interface SnapshotsSeen {
  readonly count: number;
  readonly knownGood?: { readonly shortId: string; readonly capturedAt: string };
  readonly held: readonly { readonly shortId: string; readonly run: string; readonly reason: string }[];
  readonly damaged: readonly string[];
}

interface HolderSeen {
  readonly run: string;
  readonly user: string;
  readonly host: string;
  readonly journal: string;
  readonly phase?: string;
  /** ISO 8601. */
  readonly since: string;
}

/** Everything that a diagnosis is made of: one look at a stack. */
export interface Observations {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly stack: string;
  /** Live objects of the stack, without Secret values. */
  readonly objects: readonly KubeObject[];
  readonly pods: ReadonlyMap<ObjectKey, readonly KubeObject[]>;
  readonly replicaSets: readonly KubeObject[];
  readonly events: Seen<readonly EventSeen[]>;
  /** EndpointSlices of the namespaces. */
  readonly slices: Seen<readonly KubeObject[]>;
  /** PodMetrics of metrics.k8s.io. */
  readonly usage: Seen<readonly KubeObject[]>;
  readonly names: Seen<readonly Reached[]>;
  readonly databases: Seen<readonly Reached[]>;
  readonly lease: Seen<{ readonly holder?: HolderSeen; readonly unfinished?: HolderSeen }>;
  readonly runs: Seen<readonly RunSeen[]>;
  readonly snapshots: Seen<SnapshotsSeen>;
  readonly keys: Seen<string>;
  readonly flags: readonly FlagValue[];
  /** Objects that differ from the last known good; undefined when there is none. */
  readonly drift: Seen<{ readonly shortId: string; readonly changed: readonly ObjectKey[] } | undefined>;
  /** Who holds Pulumi's own lock. */
  readonly engine: Seen<readonly { readonly who: string; readonly since?: string }[]>;
}
