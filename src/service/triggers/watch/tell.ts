import { createHash } from 'node:crypto';
import type { Alert, WatchSetting } from '../../../model/index.ts';
import type { Judged } from '../../../actions/watch-judge.ts';

/** What a watch says, as an alert like any other. `startsAt` is ISO 8601. Pure. */
export function alertOf(
  stack: string,
  { name, measure, forMs }: WatchSetting,
  { value = 0, limit = 0, tells }: Judged,
  startsAt: string,
  now: number,
): Alert {
  const over = tells === 'resolved';
  const figure = figures(measure.kind);
  return {
    source: 'watch',
    name,
    stack,
    status: over ? 'resolved' : 'firing',
    groupKey: `watch/${stack}`,
    fingerprint: fingerprintOf(stack, name),
    startsAt,
    ...(over ? { endsAt: new Date(now).toISOString() } : {}),
    labels: { alertname: name, stack, measure: measure.kind },
    summary:
      measure.kind === 'failing'
        ? `the route has failed for ${seconds(forMs)}`
        : `${measure.kind} ${figure(value)}, above ${figure(limit)} for ${seconds(forMs)}`,
  };
}

export function fingerprintOf(stack: string, watch: string): string {
  return createHash('sha256')
    .update(JSON.stringify([stack, watch]))
    .digest('hex')
    .slice(0, 16);
}

function figures(kind: WatchSetting['measure']['kind']): (value: number) => string {
  if (kind === 'error-rate') return (value) => `${Math.round(value * 1_000) / 10} %`;
  if (kind === 'latency') return (value) => `${Math.round(value)} ms`;
  return (value) => String(Math.round(value * 1_000) / 1_000);
}

function seconds(ms: number): string {
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1_000} s`;
}
