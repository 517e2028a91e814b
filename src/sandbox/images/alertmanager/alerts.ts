/** Alertmanager's v2 JSON, as `POST /api/v2/alerts` takes it. */
export interface PostableAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** ISO 8601. Default: now. */
  readonly startsAt?: string;
  /** ISO 8601; past: resolved. Default: now and the resolve timeout. */
  readonly endsAt?: string;
  readonly generatorURL?: string;
}

/** As `GET /api/v2/alerts` gives it. */
export interface GettableAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly updatedAt: string;
  readonly fingerprint: string;
  readonly generatorURL: string;
  readonly receivers: readonly { readonly name: string }[];
  readonly status: {
    readonly state: 'active';
    readonly silencedBy: readonly string[];
    readonly inhibitedBy: readonly string[];
    readonly mutedBy: readonly string[];
  };
}

/** How long an alert without an end is believed, milliseconds. */
const RESOLVE_TIMEOUT_MS = 5 * 60_000;

/** FNV-1a over the sorted labels, 64 bits: what Prometheus' own fingerprint is. */
export function fingerprintOf(labels: Readonly<Record<string, string>>): string {
  let hash = 0xcbf29ce484222325n;
  const add = (bytes: Uint8Array): void => {
    for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  };
  const encoder = new TextEncoder();
  const separator = Uint8Array.of(0xff);
  for (const name of Object.keys(labels).sort()) {
    add(encoder.encode(name));
    add(separator);
    add(encoder.encode(labels[name]));
    add(separator);
  }
  return hash.toString(16).padStart(16, '0');
}

/** Alerts by fingerprint. An alert that is sent again goes on; one that had ended begins anew. */
export class AlertStore {
  readonly #alerts = new Map<string, GettableAlert>();

  /** Throws TypeError with a reason for what is no alert. */
  put(alert: PostableAlert, now: number): void {
    const { labels } = alert;
    if (Object.keys(labels).length === 0) throw new TypeError('at least one label pair required');
    const fingerprint = fingerprintOf(labels);
    const before = this.#alerts.get(fingerprint);
    const goesOn = before !== undefined && Date.parse(before.endsAt) > now;
    const startsAt = alert.startsAt ?? (goesOn ? before.startsAt : iso(now));
    const endsAt =
      alert.endsAt === undefined || alert.endsAt.startsWith('0001-')
        ? iso(now + RESOLVE_TIMEOUT_MS)
        : iso(Date.parse(alert.endsAt));
    if (Date.parse(endsAt) < Date.parse(startsAt)) throw new TypeError('start time must be before end time');
    this.#alerts.set(fingerprint, {
      labels,
      annotations: alert.annotations ?? {},
      startsAt:
        goesOn && Date.parse(before.startsAt) < Date.parse(startsAt) ? before.startsAt : iso(Date.parse(startsAt)),
      endsAt,
      updatedAt: iso(now),
      fingerprint,
      generatorURL: alert.generatorURL ?? '',
      receivers: [{ name: 'default' }],
      status: { state: 'active', silencedBy: [], inhibitedBy: [], mutedBy: [] },
    });
  }

  /** Those that have not ended and match every matcher; ended ones are forgotten. */
  active(matchers: readonly Matcher[], now: number): GettableAlert[] {
    for (const [fingerprint, { endsAt }] of this.#alerts)
      if (Date.parse(endsAt) <= now) this.#alerts.delete(fingerprint);
    return [...this.#alerts.values()]
      .filter(({ labels }) => matchers.every((matches) => matches(labels)))
      .sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));
  }
}

export type Matcher = (labels: Readonly<Record<string, string>>) => boolean;

/** `alertname="X"`, `severity=~"page|ticket"`, `team!=a`. Throws TypeError for anything else. */
export function matcherOf(filter: string): Matcher {
  const [, name, operator, quoted, bare] =
    /^\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*(?:"((?:\\.|[^"\\])*)"|([^"\s]*))\s*$/.exec(filter) ?? [];
  if (name === undefined || operator === undefined) throw new TypeError(`bad matcher format: ${filter}`);
  const value = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '';
  const isPattern = operator.endsWith('~');
  let pattern: RegExp;
  try {
    pattern = new RegExp(`^(?:${isPattern ? value : ''})$`);
  } catch (error) {
    throw new TypeError(`bad matcher format: ${filter}`, { cause: error });
  }
  // A label that is absent is an empty one.
  return (labels) =>
    (isPattern ? pattern.test(labels[name] ?? '') : (labels[name] ?? '') === value) !== operator.startsWith('!');
}

const iso = (ms: number): string => new Date(ms).toISOString();
