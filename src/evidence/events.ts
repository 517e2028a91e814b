import type { KubeObject } from '../model/index.ts';

/** A Kubernetes event as both of its API groups have it. */
export interface SeenEvent {
  /** ISO 8601, of the last time. */
  readonly at: string;
  readonly type: string;
  readonly reason: string;
  /** `pod/gateway-5f`. */
  readonly object: string;
  readonly namespace: string;
  readonly message: string;
  readonly count: number;
  readonly from: string;
}

interface RawEvent {
  readonly eventTime?: string | null;
  readonly firstTimestamp?: string | null;
  readonly lastTimestamp?: string | null;
  readonly deprecatedFirstTimestamp?: string | null;
  readonly deprecatedLastTimestamp?: string | null;
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string } | null;
  readonly count?: number;
  readonly deprecatedCount?: number;
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly note?: string;
  readonly involvedObject?: { readonly kind?: string; readonly name?: string };
  readonly regarding?: { readonly kind?: string; readonly name?: string };
  readonly source?: { readonly component?: string };
  readonly deprecatedSource?: { readonly component?: string };
  readonly reportingController?: string;
  readonly reportingComponent?: string;
}

/** In the order in which they happened; those of one instant in the order of their names. */
export function inOrder(events: readonly KubeObject[]): readonly SeenEvent[] {
  return events
    .map((event) => ({ name: event.metadata.name, seen: seenOf(event) }))
    .sort((a, b) => compare(a.seen.at, b.seen.at) || compare(a.name, b.name))
    .map(({ seen }) => seen);
}

function seenOf(object: KubeObject): SeenEvent {
  const raw = object as unknown as RawEvent;
  const about = raw.regarding ?? raw.involvedObject ?? {};
  const times = [
    raw.series?.lastObservedTime,
    raw.lastTimestamp,
    raw.deprecatedLastTimestamp,
    raw.eventTime,
    raw.firstTimestamp,
    raw.deprecatedFirstTimestamp,
    object.metadata.creationTimestamp,
  ];
  const time = times.find((one) => typeof one === 'string' && !Number.isNaN(Date.parse(one)));
  return {
    at: time === undefined || time === null ? '' : new Date(time).toISOString(),
    type: raw.type ?? '',
    reason: raw.reason ?? '',
    object: `${(about.kind ?? '').toLowerCase()}/${about.name ?? ''}`,
    namespace: object.metadata.namespace ?? '',
    message: (raw.note ?? raw.message ?? '').trim(),
    count: raw.series?.count ?? raw.count ?? raw.deprecatedCount ?? 1,
    from: firstSaid(
      raw.reportingController,
      raw.reportingComponent,
      raw.source?.component,
      raw.deprecatedSource?.component,
    ),
  };
}

const firstSaid = (...texts: readonly (string | undefined)[]): string =>
  texts.find((text) => text !== undefined && text !== '') ?? '';

export function eventLine({ at, type, reason, namespace, object, message, count, from }: SeenEvent): string {
  const times = count > 1 ? ` (×${count})` : '';
  return `${at} ${type.padEnd(7)} ${reason} ${namespace}/${object}: ${message.replaceAll(/\s*\n\s*/g, ' ')}${times}${from === '' ? '' : ` [${from}]`}`;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
