import type { LooseAlert } from './intake.ts';

/** What Alertmanager posts, and Grafana with more around it; what is not read here is let through unread. */
export interface WebhookBody {
  readonly groupKey?: string | undefined;
  readonly truncatedAlerts?: number | undefined;
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
    readonly startsAt: string;
    readonly endsAt?: string | undefined;
    readonly generatorURL?: string | undefined;
    readonly fingerprint: string;
  }[];
}

/** Kept of an alert: as much as a person reads. */
const MOST_LABELS = 100;
const LONGEST_TEXT = 500;
const LONGEST_LINK = 2_000;

/** Pure. Times are normalised: one moment is one text, whoever wrote it. */
export function alertsOf({ groupKey = '', alerts }: WebhookBody): readonly LooseAlert[] {
  return alerts.map((raw) => {
    const { annotations = {}, generatorURL } = raw;
    const summary = annotations['summary'] ?? annotations['description'] ?? annotations['message'];
    const url = [annotations['runbook_url'], generatorURL].find(isLink);
    const over = raw.status === 'resolved';
    return {
      name: cut(raw.labels['alertname'] ?? 'alert'),
      status: over ? 'resolved' : 'firing',
      groupKey,
      fingerprint: raw.fingerprint,
      startsAt: new Date(raw.startsAt).toISOString(),
      // While an alert fires, its end is the year 1, or a guess.
      ...(over && raw.endsAt !== undefined ? { endsAt: new Date(raw.endsAt).toISOString() } : {}),
      labels: Object.fromEntries(
        Object.entries(raw.labels)
          .slice(0, MOST_LABELS)
          .map(([label, value]) => [cut(label), cut(value)]),
      ),
      ...(summary === undefined ? {} : { summary: cut(summary) }),
      ...(url === undefined ? {} : { url }),
    };
  });
}

/** It is shown as a link: nothing but a web address may be one. */
function isLink(text: string | undefined): text is string {
  return text !== undefined && text.length <= LONGEST_LINK && /^https?:\/\//.test(text) && URL.canParse(text);
}

function cut(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT - 1)}…`;
}
