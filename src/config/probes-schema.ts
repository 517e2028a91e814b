import { z } from 'zod';
import { accept, DURATION, duration, httpTarget, text } from './fields.ts';

/** A shorter interval measures the prober and not the route. */
const MIN_INTERVAL_MS = 100;

const interval = duration.check(({ value, issues }) => {
  const [, amount, unit] = DURATION.exec(value) ?? [];
  if (unit !== 'ms' || Number(amount) >= MIN_INTERVAL_MS) return;
  issues.push({ code: 'custom', message: `a duration of at least ${MIN_INTERVAL_MS}ms`, input: value });
});

export const probe = z.strictObject(
  {
    name: text.describe('Unique among the probes; the report names it.'),
    target: httpTarget,
    accept: accept.default([200]).describe('Status codes that count as up.'),
    interval: interval
      .default('500ms')
      .describe('Between requests, whether or not the earlier ones were answered. At least 100ms.'),
    timeout: duration.default('2s').describe('An answer that takes longer counts as down.'),
  },
  { error: '{name, target, accept, interval, timeout}' },
);
