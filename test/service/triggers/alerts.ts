import type { Alert, TriggerPolicy } from '../../../src/model/index.ts';

/** A point in time that the tests count from, milliseconds. */
export const T0 = Date.parse('2026-03-01T10:00:00.000Z');

export const MINUTE = 60_000;

export function at(ms: number): string {
  return new Date(T0 + ms).toISOString();
}

export function alertOf(part: Partial<Alert> = {}): Alert {
  return {
    source: 'alertmanager',
    name: 'HighErrorRate',
    stack: 'shop',
    status: 'firing',
    groupKey: '{}:{alertname="HighErrorRate"}',
    fingerprint: 'f1',
    startsAt: at(0),
    labels: { alertname: 'HighErrorRate', stack: 'shop', rollback_trigger: 'true' },
    ...part,
  };
}

export const POLICY: TriggerPolicy = {
  mode: 'automatic',
  target: 'known-good',
  scope: { kind: 'full' },
  settleMs: 30_000,
  staleMs: 15 * MINUTE,
  quietMs: 30 * MINUTE,
  alerts: { match: { rollback_trigger: 'true' }, stackLabel: 'stack' },
  watches: [],
};
