/** What one scrape saw. Counters as Docling counts them; absent while it cannot be reached. */
export interface Scrape {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** PDF_PROCESSING_BACKEND of the running orchestrator; the last one known while it cannot be asked. */
  readonly backend: string | undefined;
  readonly docling:
    | {
        readonly modelLoaded: boolean;
        readonly seconds: number;
        readonly documents: number;
        readonly ok: number;
        readonly error: number;
      }
    | undefined;
}

/** A document sent by the monitor itself; `endedAt` is absent while it is under way. */
export interface Probe {
  readonly startedAt: number;
  readonly endedAt?: number;
}

export interface Thresholds {
  /** Mean time of a document, seconds. */
  readonly slowSeconds: number;
  /** Share of documents that must succeed, 0 to 1. */
  readonly successRate: number;
  /** Documents in the window, below which a rate says nothing. */
  readonly leastDocuments: number;
}

export const ALERTS = ['DoclingVLMProcessingSlow', 'DoclingVLMSuccessRateDrop', 'DoclingModelUnavailable'] as const;
export type AlertName = (typeof ALERTS)[number];

export interface Finding {
  readonly name: AlertName;
  readonly firing: boolean;
  readonly summary: string;
}

/**
 * The three alerts over a window of scrapes, oldest first. While the backend is not docling none of them fires: a parser
 * that nothing uses cannot hurt.
 */
export function evaluate(
  window: readonly Scrape[],
  probes: readonly Probe[],
  thresholds: Thresholds,
): readonly Finding[] {
  const last = window.at(-1);
  const inUse = last?.backend === 'docling';
  const finding = (name: AlertName, condition: boolean, summary: string): Finding => ({
    name,
    firing: inUse && condition,
    summary,
  });
  const { seconds, documents, ok, error } = increase(window);

  const durations = probes.map(({ startedAt, endedAt }) => ((endedAt ?? last?.at ?? startedAt) - startedAt) / 1000);
  const means = [
    ...(documents > 0 ? [seconds / documents] : []),
    ...(durations.length > 0 ? [durations.reduce((a, b) => a + b, 0) / durations.length] : []),
  ];
  const slowest = Math.max(0, ...means);

  const counted = ok + error;
  const rate = counted === 0 ? 1 : ok / counted;
  const available = last?.docling?.modelLoaded === true;
  const why = last?.docling === undefined ? 'docling-vlm cannot be reached' : 'the model is not loaded';
  return [
    finding(
      'DoclingVLMProcessingSlow',
      slowest > thresholds.slowSeconds,
      `documents take ${slowest.toFixed(2)} s on average, ${thresholds.slowSeconds} s are allowed`,
    ),
    finding(
      'DoclingVLMSuccessRateDrop',
      counted >= thresholds.leastDocuments && rate < thresholds.successRate,
      `${(rate * 100).toFixed(0)} % of ${counted} documents succeeded, ${(thresholds.successRate * 100).toFixed(0)} % are expected`,
    ),
    finding('DoclingModelUnavailable', !available, available ? 'the model is loaded' : why),
  ];
}

type Counters = Omit<NonNullable<Scrape['docling']>, 'modelLoaded'>;

/** How much the counters grew over the window. One that fell was begun anew by a restart and counts from zero. */
function increase(window: readonly Scrape[]): Counters {
  const sum = { seconds: 0, documents: 0, ok: 0, error: 0 };
  let before: Counters | undefined;
  for (const { docling } of window) {
    if (docling === undefined) continue;
    const restarted = before !== undefined && docling.documents < before.documents;
    for (const key of ['seconds', 'documents', 'ok', 'error'] as const) {
      if (before !== undefined) sum[key] += docling[key] - (restarted ? 0 : before[key]);
    }
    before = docling;
  }
  return sum;
}
