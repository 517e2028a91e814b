import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Measured } from '../service/metrics.ts';

/** Seconds: most rollbacks take under a minute, migrations of data can take an hour. */
const DURATIONS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600];

/** Prometheus' text format. A registry of its own each time: everything is counted anew from what is stored. */
export async function exposition(
  measured: Measured,
  version: string,
): Promise<{ readonly type: string; readonly text: string }> {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({ name: 'backstay_build_info', help: 'Version, as a label.', labelNames: ['version'], registers }).set(
    { version },
    1,
  );
  runsIn(measured, registry);
  const gauge = <L extends string>(name: string, help: string, ...labelNames: readonly L[]) =>
    new Gauge({ name, help, labelNames, registers });
  const approvals = gauge('backstay_approvals_waiting', 'Runs that wait for an approval.', 'stack');
  for (const [stack, count] of measured.approvals) approvals.set({ stack }, count);
  const proposals = gauge('backstay_proposals_open', 'Rollbacks that a trigger asks for and nobody decided.', 'stack');
  for (const [stack, count] of measured.openProposals) proposals.set({ stack }, count);
  const owed = gauge('backstay_notices_undelivered', 'Notices that are still owed.', 'channel');
  for (const [channel, count] of measured.undelivered) owed.set({ channel }, count);
  const lost = gauge('backstay_notices_lost', 'Notices that were refused or given up.', 'channel');
  for (const [channel, count] of measured.lost) lost.set({ channel }, count);
  const taken = gauge('backstay_snapshot_timestamp_seconds', 'When the newest snapshot was captured.', 'stack');
  const good = gauge('backstay_known_good_timestamp_seconds', 'When the last known good was captured.', 'stack');
  const held = gauge('backstay_versions_held', 'Versions that went wrong and were not released.', 'stack');
  for (const one of measured.stacks) {
    const { stack } = one;
    if (one.snapshotAt !== undefined) taken.set({ stack }, one.snapshotAt);
    if (one.knownGoodAt !== undefined) good.set({ stack }, one.knownGoodAt);
    held.set({ stack }, one.held);
  }
  schedulesIn(measured, registry);
  storesIn(measured, registry);
  return { type: registry.contentType, text: await registry.metrics() };
}

function storesIn({ stores }: Measured, registry: Registry): void {
  const gauge = (name: string, help: string, ...more: readonly 'kind'[]) =>
    new Gauge({ name, help, labelNames: ['stack', 'store', ...more], registers: [registry] });
  const there = gauge('backstay_data_store_info', 'A data store that a stack file declares.', 'kind');
  const proven = gauge('backstay_backup_last_proof_timestamp_seconds', 'When a backup was last proven by a restore.');
  const newest = gauge('backstay_proven_backup_timestamp_seconds', 'When the newest proven backup was made.');
  for (const { stack, store, kind, provenAt, newestAt } of stores) {
    there.set({ stack, store, kind }, 1);
    if (provenAt !== undefined) proven.set({ stack, store }, provenAt);
    if (newestAt !== undefined) newest.set({ stack, store }, newestAt);
  }
}

function schedulesIn({ schedules }: Measured, registry: Registry): void {
  const gauge = (name: string, help: string) =>
    new Gauge({ name, help, labelNames: ['stack', 'schedule', 'do'], registers: [registry] });
  const every = gauge('backstay_schedule_interval_seconds', 'From one time to the next.');
  const seen = gauge('backstay_schedule_seen_timestamp_seconds', 'When a service first saw the schedule.');
  const done = gauge('backstay_schedule_last_success_timestamp_seconds', 'When it last went well.');
  for (const { stack, schedule, do: deed, everySeconds, seenAt, succeededAt } of schedules) {
    const labels = { stack, schedule, do: deed };
    every.set(labels, everySeconds);
    if (seenAt !== undefined) seen.set(labels, seenAt);
    if (succeededAt !== undefined) done.set(labels, succeededAt);
  }
}

function runsIn({ runs, damaged }: Measured, registry: Registry): void {
  const registers = [registry];
  const total = new Counter({
    name: 'backstay_runs_total',
    help: 'Runs that ended, by how.',
    labelNames: ['stack', 'outcome', 'trigger'],
    registers,
  });
  const seconds = new Histogram({
    name: 'backstay_run_duration_seconds',
    help: 'How long runs took that ended.',
    labelNames: ['stack', 'outcome'],
    buckets: DURATIONS,
    registers,
  });
  const down = new Counter({
    name: 'backstay_run_downtime_seconds_total',
    help: 'For how long the worst route was down in runs that measured it.',
    labelNames: ['stack'],
    registers,
  });
  const last = new Gauge({
    name: 'backstay_last_run_timestamp_seconds',
    help: 'When the last run of that kind ended.',
    labelNames: ['stack', 'outcome', 'trigger'],
    registers,
  });
  const unfinished = new Gauge({
    name: 'backstay_unfinished_run_last_worked_timestamp_seconds',
    help: 'When the unfinished run of a stack last showed that it was at work.',
    labelNames: ['stack'],
    registers,
  });
  new Gauge({ name: 'backstay_runs_damaged', help: 'Runs whose journal cannot be read.', registers }).set(damaged);
  const newest = new Map<string, number>();
  for (const { stack, outcome, trigger, startedAt, durationMs, downMs } of runs) {
    const at = (Date.parse(startedAt) + durationMs) / 1000;
    if (outcome === 'unfinished') {
      unfinished.set({ stack }, at);
      continue;
    }
    total.inc({ stack, outcome, trigger });
    seconds.observe({ stack, outcome }, durationMs / 1000);
    if (downMs !== undefined) down.inc({ stack }, downMs / 1000);
    const kind = JSON.stringify([stack, outcome, trigger]);
    if (at <= (newest.get(kind) ?? 0)) continue;
    newest.set(kind, at);
    last.set({ stack, outcome, trigger }, at);
  }
}
