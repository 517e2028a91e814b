import type { KeySource } from './stack.ts';

/** What people and systems are told about. */
export const NOTICES = [
  'proposal.opened',
  'run.started',
  'approval.needed',
  'run.ended',
  'run.stuck',
  'escalation',
] as const;
export type Notice = (typeof NOTICES)[number];

/** One place that is told. The addresses and keys are secrets, and never in a stack file. */
export type NotificationSetting = {
  /** Unique in the stack. */
  readonly name: string;
  /** Absent: all. */
  readonly on?: readonly Notice[];
  /** Instead of the built-in text, by notice; `{{run}}`, `{{stack}}`, `{{outcome}}` and the like are filled in. */
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
  readonly escalation: readonly EscalationLevel[];
}
