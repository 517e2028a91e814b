import type { KeySource } from './stack.ts';

/** What people and systems are told about. */
export const NOTICES = [
  'proposal.opened',
  /** It was started or dismissed, or went away by itself. */
  'proposal.closed',
  'approval.needed',
  'approval.given',
  /** Its first step begins. */
  'run.started',
  'run.ended',
  /** It is neither over nor waiting for anybody, and its journal has been silent for long. */
  'run.stuck',
  /** The deadline of its severity passed, and it is not done. */
  'run.late',
  /** After a run, while the stack was watched: something failed. */
  'observation.disturbed',
  'observation.ended',
  /** Goes to those whom the level names, and to nobody else. */
  'escalation',
] as const;
export type Notice = (typeof NOTICES)[number];

/** What a template may name. What is not known for a notice is filled in as `none given`. */
export const NOTICE_PLACEHOLDERS = [
  'alerts',
  'because',
  'by',
  'contact',
  'count',
  'deadline',
  'decision',
  'duration',
  'elapsed',
  'from',
  'incident',
  'level',
  'link',
  'next',
  'outcome',
  'phase',
  'plan',
  'proposal',
  'reason',
  'risk',
  'roles',
  'run',
  'scope',
  'severity',
  'stack',
  'to',
  'trigger',
  'until',
] as const;
export type NoticePlaceholder = (typeof NOTICE_PLACEHOLDERS)[number];

/** One place that is told. The addresses and keys are secrets, and never in a stack file. */
export type NotificationSetting = {
  /** Unique in the stack. */
  readonly name: string;
  /** Absent: all but escalations, which go by name; of a status page the start and the end of runs. */
  readonly on?: readonly Notice[];
  /** Instead of the built-in text, by notice; NOTICE_PLACEHOLDERS are filled in. */
  readonly templates?: Readonly<Partial<Record<Notice, string>>>;
} & (
  | { readonly kind: 'slack'; readonly webhook: KeySource; readonly channel?: string }
  /** Opens one issue a run, and comments on it. */
  | {
      readonly kind: 'github';
      readonly api: string;
      readonly repository: string;
      readonly token: KeySource;
      readonly labels: readonly string[];
    }
  /** Events API version 2. */
  | { readonly kind: 'pagerduty'; readonly url: string; readonly routingKey: KeySource }
  /** JSON, signed with HMAC-SHA256 over time and body. */
  | { readonly kind: 'webhook'; readonly url: string; readonly secret: KeySource }
  /** A status page: the incident is opened with the run and resolved with it. */
  | { readonly kind: 'status'; readonly url: string; readonly token: KeySource }
);

/** Who is told next while a run is not done. */
export interface EscalationLevel {
  /** Milliseconds since the run was asked for. */
  readonly afterMs: number;
  /** Names of notification settings. */
  readonly notify: readonly string[];
  /** Said with it: who this is. */
  readonly contact?: string;
}

export interface NotificationPolicy {
  readonly channels: readonly NotificationSetting[];
  /** By time. */
  readonly escalation: readonly EscalationLevel[];
  /** Milliseconds without an entry after which a run that should be at work counts as stuck. @default 15 min */
  readonly stuckAfterMs: number;
  /** Where people reach the service's page, for links; absent: there are none. */
  readonly page?: string;
}
