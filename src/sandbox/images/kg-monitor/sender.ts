import type { Call } from '../kit/call.ts';
import type { AlertName, Finding } from './rules.ts';

export interface SenderOptions {
  readonly alertmanager: string;
  readonly labels: Readonly<Record<string, string>>;
  /** How often a firing alert is sent again, milliseconds. */
  readonly resendMs: number;
  readonly call: Call;
}

interface Known {
  readonly startsAt: number;
  readonly firing: boolean;
  /** Last time that Alertmanager took it; absent: not yet. */
  readonly sentAt?: number;
}

/**
 * Tells Alertmanager as Prometheus does: at every change, and again while an alert fires, each time with an end in the
 * near future, so that alerts end by themselves when nobody sends them any more.
 */
export class AlertSender {
  readonly #options: SenderOptions;
  readonly #known = new Map<AlertName, Known>();

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Sends what is due. Rejects when Alertmanager did not take it; it is due again then. */
  async tell(findings: readonly Finding[], now: number): Promise<void> {
    const due = findings.filter((finding) => this.#isDue(finding, now));
    if (due.length === 0) return;
    const { alertmanager, labels, resendMs, call } = this.#options;
    const alerts = due.map(({ name, firing, summary }) => ({
      labels: { alertname: name, severity: 'critical', ...labels },
      annotations: { summary, description: `${name}: ${summary}` },
      startsAt: new Date(this.#known.get(name)?.startsAt ?? now).toISOString(),
      endsAt: new Date(firing ? now + 4 * resendMs : now).toISOString(),
      generatorURL: 'http://kg-monitor.monitoring.svc/alerts',
    }));
    const { status } = await call(`${alertmanager}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alerts),
    });
    if (status !== 200) throw new Error(`alertmanager answered ${status}`);
    for (const { name } of due) {
      const known = this.#known.get(name);
      if (known !== undefined) this.#known.set(name, { ...known, sentAt: now });
    }
  }

  #isDue({ name, firing }: Finding, now: number): boolean {
    const known = this.#known.get(name);
    if (known === undefined && !firing) return false;
    if (known === undefined || known.firing !== firing) {
      this.#known.set(name, { startsAt: firing ? now : (known?.startsAt ?? now), firing });
      return true;
    }
    return known.sentAt === undefined || (firing && now - known.sentAt >= this.#options.resendMs);
  }
}
