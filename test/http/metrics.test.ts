import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exposition } from '../../src/http/exposition.ts';
import type { Measured } from '../../src/service/metrics.ts';
import { aPlan, aStep } from '../rollback/builders.ts';
import { appFor } from '../support/app.ts';
import { journalOf } from '../support/journal.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';

const NONE: Measured = {
  runs: [],
  damaged: 0,
  approvals: new Map(),
  stacks: [],
  schedules: [],
  stores: [],
  openProposals: new Map(),
  undelivered: new Map(),
  lost: new Map(),
};

const run = (part: Partial<Measured['runs'][number]>): Measured['runs'][number] => ({
  run: 'r',
  stack: 'shop',
  trigger: 'person',
  scope: 'full',
  startedAt: '2026-01-01T00:00:00.000Z',
  outcome: 'succeeded',
  durationMs: 4_000,
  ...part,
});

/** `name{labels} value` of everything that is no comment. */
const samples = (text: string): ReadonlyMap<string, number> =>
  new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );

describe('figures for Prometheus', () => {
  it('count runs by how they ended, and tell when the last of a kind did', async () => {
    const { text } = await exposition(
      {
        ...NONE,
        runs: [
          run({ durationMs: 4_000, downMs: 500 }),
          run({ durationMs: 9_000, startedAt: '2026-01-02T00:00:00.000Z', downMs: 1_500 }),
          run({ outcome: 'returned', trigger: 'alert', durationMs: 61_000 }),
          run({ outcome: 'unfinished', stack: 'bank', durationMs: 2_000 }),
        ],
        damaged: 1,
      },
      '1.2.3',
    );
    const found = samples(text);
    const ok = 'stack="shop",outcome="succeeded"';
    expect(found.get(`backstay_runs_total{${ok},trigger="person"}`)).toBe(2);
    expect(found.get('backstay_runs_total{stack="shop",outcome="returned",trigger="alert"}')).toBe(1);
    expect(found.get(`backstay_run_duration_seconds_bucket{le="5",${ok}}`)).toBe(1);
    expect(found.get(`backstay_run_duration_seconds_bucket{le="10",${ok}}`)).toBe(2);
    expect(found.get(`backstay_run_duration_seconds_sum{${ok}}`)).toBe(13);
    expect(found.get('backstay_run_downtime_seconds_total{stack="shop"}')).toBe(2);
    expect(found.get(`backstay_last_run_timestamp_seconds{${ok},trigger="person"}`)).toBe(
      Date.parse('2026-01-02T00:00:09Z') / 1000,
    );
    expect(found.get('backstay_unfinished_run_last_worked_timestamp_seconds{stack="bank"}')).toBe(
      Date.parse('2026-01-01T00:00:02Z') / 1000,
    );
    expect([...found.keys()].filter((name) => name.startsWith('backstay_runs_total{stack="bank"'))).toEqual([]);
    expect(found.get('backstay_runs_damaged')).toBe(1);
    expect(found.get('backstay_build_info{version="1.2.3"}')).toBe(1);
  });

  it('tell what waits, what is held and what is old', async () => {
    const { text } = await exposition(
      {
        ...NONE,
        approvals: new Map([['shop', 2]]),
        openProposals: new Map([['shop', 1]]),
        undelivered: new Map([['slack', 3]]),
        lost: new Map([['pager', 1]]),
        stacks: [
          { stack: 'shop', snapshotAt: 200, knownGoodAt: 100, held: 1 },
          { stack: 'new', held: 0 },
        ],
      },
      '1',
    );
    const found = samples(text);
    expect(found.get('backstay_approvals_waiting{stack="shop"}')).toBe(2);
    expect(found.get('backstay_proposals_open{stack="shop"}')).toBe(1);
    expect(found.get('backstay_notices_undelivered{channel="slack"}')).toBe(3);
    expect(found.get('backstay_notices_lost{channel="pager"}')).toBe(1);
    expect(found.get('backstay_snapshot_timestamp_seconds{stack="shop"}')).toBe(200);
    expect(found.get('backstay_known_good_timestamp_seconds{stack="shop"}')).toBe(100);
    expect(found.has('backstay_snapshot_timestamp_seconds{stack="new"}')).toBe(false);
    expect(found.get('backstay_versions_held{stack="new"}')).toBe(0);
  });

  it('tell how often a schedule comes and when it last went well', async () => {
    const both = { stack: 'shop', do: 'drill', everySeconds: 86_400 } as const;
    const schedules = [
      { ...both, schedule: 'proof', seenAt: 50, succeededAt: 100 },
      { ...both, schedule: 'fresh', seenAt: 60 },
      { ...both, schedule: 'unseen' },
    ];
    const found = samples((await exposition({ ...NONE, schedules }, '1')).text);
    const of = (schedule: string) => `{stack="shop",schedule="${schedule}",do="drill"}`;
    const figures = ['interval_seconds', 'seen_timestamp_seconds', 'last_success_timestamp_seconds'];
    const told = (schedule: string) => figures.map((name) => found.get(`backstay_schedule_${name}${of(schedule)}`));
    expect(told('proof')).toEqual([86_400, 50, 100]);
    expect(told('fresh')).toEqual([86_400, 60, undefined]);
    expect(told('unseen')).toEqual([86_400, undefined, undefined]);
  });

  it('tell when a backup of each store was last proven, and which stores there are that none was of', async () => {
    const stores = [
      { stack: 'shop', store: 'main', kind: 'postgres', provenAt: 200, newestAt: 100 },
      { stack: 'shop', store: 'cache', kind: 'redis' },
    ];
    const found = samples((await exposition({ ...NONE, stores }, '1')).text);
    const of = (store: string) => `{stack="shop",store="${store}"}`;
    expect(found.get('backstay_data_store_info{stack="shop",store="main",kind="postgres"}')).toBe(1);
    expect(found.get('backstay_data_store_info{stack="shop",store="cache",kind="redis"}')).toBe(1);
    expect(found.get(`backstay_backup_last_proof_timestamp_seconds${of('main')}`)).toBe(200);
    expect(found.get(`backstay_proven_backup_timestamp_seconds${of('main')}`)).toBe(100);
    expect(found.has(`backstay_backup_last_proof_timestamp_seconds${of('cache')}`)).toBe(false);
    expect(found.has(`backstay_proven_backup_timestamp_seconds${of('cache')}`)).toBe(false);
  });

  describe('of a service', () => {
    let service: TestService;
    beforeAll(async () => {
      const store = '{ kind: postgres, connection: { host: 127.0.0.1, port: 1, database: kg, user: kg } }';
      const stores = `  backstay:stores:\n    - ${store.replace('{', '{ name: main,')}\n    - ${store.replace('{', '{ name: audit,')}\n`;
      service = await testService({ stacks: { 'medical-kg': aStackFile(stores) } });
    });
    afterAll(async () => await service.close());

    it('come from the journal: what another process wrote counts, and what is over is not read again', async () => {
      const { journal } = service.deps;
      let reads = 0;
      const counting = {
        ...service.deps,
        journal: {
          runs: async (stack?: string) => await journal.runs(stack),
          read: async (id: string) => {
            reads += 1;
            return await journal.read(id);
          },
        } as typeof journal,
      };
      const { app } = appFor(counting);
      const scrape = async () => samples(await (await app.request('/metrics')).text());
      const of = 'backstay_runs_total{stack="medical-kg",outcome="succeeded",trigger="person"}';
      expect((await scrape()).has(of)).toBe(false);
      const another = await service.another();
      const plan = aPlan({ steps: [aStep('a', 'locked')] });
      const entries = journalOf([
        { kind: 'run-created', plan, by: { user: 'ada', host: 'laptop' } },
        { kind: 'run-ended', outcome: 'succeeded' },
      ]);
      for (const entry of entries) await another.journal.append(entry);
      expect((await scrape()).get(of)).toBe(1);
      expect((await scrape()).get(of)).toBe(1);
      expect(reads).toBe(1);
    });

    it('know the newest proof of a backup, by whichever of drills and runs it came', async () => {
      const { records, journal } = service.deps;
      const { app } = appFor(service.deps);
      const scrape = async () => samples(await (await app.request('/metrics')).text());
      const of = '{stack="medical-kg",store="main"}';
      const told = async () => {
        const found = await scrape();
        return ['backup_last_proof', 'proven_backup'].map((name) =>
          found.get(`backstay_${name}_timestamp_seconds${of}`),
        );
      };
      expect(await told()).toEqual([undefined, undefined]);
      expect((await scrape()).get('backstay_data_store_info{stack="medical-kg",store="audit",kind="postgres"}')).toBe(
        1,
      );
      const drill = (id: string, at: string, store = 'main') => ({
        id: `d-${id}`,
        stack: 'medical-kg',
        store,
        backup: 'latest',
        by: 'token:a',
        startedAt: at,
        state: 'proven',
        result: {
          kind: 'Backup',
          id,
          proven: 'restored',
          proofs: [{ proof: 'restored', at, durationMs: 1, message: '' }],
        },
      });
      const keep = async (value: ReturnType<typeof drill>) =>
        await records.put('drill', `medical-kg/${value.id}`, 0, value);
      await keep(drill('20251231-000000-aaaaaa', '2025-12-31T01:00:00.000Z'));
      // Of another store, and of one that nobody declares.
      await keep(drill('20270101-000000-bbbbbb', '2027-01-01T01:00:00.000Z', 'audit'));
      await keep(drill('20280101-000000-cccccc', '2028-01-01T01:00:00.000Z', 'gone'));
      const seconds = (at: string): number => Date.parse(at) / 1000;
      expect(await told()).toEqual([seconds('2025-12-31T01:00:00Z'), seconds('2025-12-31T00:00:00Z')]);
      const plan = aPlan({
        steps: [aStep('b', 'safeguarded', { action: { kind: 'db-backup', store: 'main', prove: 'restored' } })],
      });
      const entries = journalOf(
        [
          { kind: 'run-created', plan, by: { user: 'ada', host: 'laptop' } },
          { kind: 'step-begin', operation: 'o', step: 'b', attempt: 1 },
          {
            kind: 'step-end',
            operation: 'o',
            step: 'b',
            outcome: 'done',
            result: { backup: '20260101-000000-dddddd' },
          },
          { kind: 'run-ended', outcome: 'succeeded' },
        ],
        'r-proof',
      );
      for (const entry of entries) await journal.append(entry);
      const ended = seconds(entries[2]?.time ?? '');
      const after = [Math.max(ended, seconds('2025-12-31T01:00:00Z')), seconds('2026-01-01T00:00:00Z')];
      expect(await told()).toEqual(after);
      // And once more from what is remembered of the run.
      expect(await told()).toEqual(after);
      expect((await scrape()).get(`backstay_proven_backup_timestamp_seconds{stack="medical-kg",store="gone"}`)).toBe(
        undefined,
      );
    });
  });
});
