import { beforeEach, describe, expect, test } from 'vitest';
import { observe, type ObserveDeps, observedUntil } from '../../src/actions/observe/index.ts';
import { renderReport } from '../../src/actions/report.ts';
import { BackstayError } from '../../src/errors/index.ts';
import { fold, type JournalFact } from '../../src/journal/index.ts';
import type { KubeObject, ObservationPolicy, RunEvent, Stack } from '../../src/model/index.ts';
import type { Cluster, DataStore, HttpAnswer, LogOptions } from '../../src/ports/index.ts';
import { fakeCluster } from '../hooks/fake-cluster.ts';
import { aPlan, aStack, aStep, fakeClock } from '../rollback/builders.ts';
import { memoryJournal } from '../rollback/memory-journal.ts';
import { journalOf } from '../support/journal.ts';

const MINUTE = 60_000;
const END = '2026-01-01T00:00:01.000Z';
const by = { user: 'ada', host: 'desk' };
const ENDED: readonly JournalFact[] = [
  { kind: 'run-created', plan: aPlan(), by },
  { kind: 'run-ended', outcome: 'succeeded' },
];
const POLICY: ObservationPolicy = {
  forMs: 10 * MINUTE,
  everyMs: MINUTE,
  watches: [],
  checks: [],
  sessions: [],
  neighbours: [],
};
const ROUTE = { kind: 'failing', target: { url: 'http://api/health' }, accept: [200] } as const;
const ALIVE = { name: 'alive', measure: ROUTE, above: { value: 0.5 }, forMs: 2 * MINUTE, everyMs: MINUTE } as const;
const POD: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'api-1', namespace: 'production' },
  status: { phase: 'Running', containerStatuses: [{ name: 'api', restartCount: 0, state: { running: {} } }] },
};
const PASSWORD: KubeObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'db', namespace: 'production' },
  data: { password: Buffer.from('correct-horse-battery').toString('base64') },
};

/** A world in which a test says what is answered at each minute after the end of the run. */
class World {
  readonly clock = fakeClock(Date.parse(END));
  readonly journal = memoryJournal(journalOf(ENDED));
  readonly told: RunEvent[] = [];
  readonly logsAsked: LogOptions[] = [];
  readonly written = new Map<string, string>();
  evidence: readonly string[] | undefined;
  answer: (minute: number) => HttpAnswer | BackstayError = () => ({ status: 200, headers: {}, body: '' });
  log: (minute: number) => string = () => '';
  isClusterUp: (minute: number) => boolean = () => true;
  clients: (minute: number) => number = () => 1;
  readonly store = {
    setting: { name: 'main' },
    sessions: async () => Array.from({ length: this.clients(this.minute) }),
  } as unknown as DataStore;

  get minute(): number {
    return Math.floor((this.clock.now() - Date.parse(END)) / MINUTE);
  }

  deps(observe: ObservationPolicy, part: Partial<Stack> = {}): ObserveDeps {
    const logs: Cluster['logs'] = async (asked) => {
      this.logsAsked.push(asked);
      return this.log(this.minute);
    };
    const cluster = { ...fakeCluster({ objects: [POD, PASSWORD] }), logs };
    return {
      stack: aStack({ observe, ...part }),
      cluster: async () => {
        if (!this.isClusterUp(this.minute)) throw new BackstayError('CLUSTER_UNREACHABLE', 'the API server is away');
        return cluster;
      },
      http: {
        request: async () => {
          const answer = this.answer(this.minute);
          if (answer instanceof BackstayError) throw answer;
          return answer;
        },
      },
      clock: this.clock,
      dataStores: async () => [this.store],
      journal: this.journal,
      files: {
        read: async (path) =>
          path.endsWith('evidence.tar.gz') && this.evidence !== undefined ? new Uint8Array() : undefined,
        write: async (path, content) => {
          this.written.set(path.split('/').at(-1) ?? '', String(content));
        },
      },
      archive: {
        pack: async () => new Uint8Array(),
        unpack: async () =>
          (this.evidence ?? []).map((text, i) => ({ path: `logs/production/p${i}/c.log`, content: Buffer.from(text) })),
      },
      stateDir: '/state',
      reporter: { report: (event) => this.told.push(event) },
    };
  }

  said(): readonly string[] {
    return this.told.flatMap((event) =>
      event.type === 'observation.changed'
        ? [`${(Date.parse(event.time) - Date.parse(END)) / MINUTE} ${event.subject} ${event.verdict}`]
        : [],
    );
  }
}

let world: World;
const never = new AbortController().signal;
const watch = async (policy: Partial<ObservationPolicy>, options: { forMs?: number; signal?: AbortSignal } = {}) =>
  await observe({ run: 'r1', signal: never, ...options }, world.deps({ ...POLICY, ...policy }));
const refused = { status: 503, headers: {}, body: '' };
const good = { status: 200, headers: {}, body: '' };

beforeEach(() => {
  world = new World();
});

describe('watching a stack after a run', () => {
  test('is quiet where every look finds what it should, to the very end', async () => {
    const result = await watch({ watches: [ALIVE] });
    expect(result).toMatchObject({ kind: 'observed', outcome: 'quiet', reason: '1 subject measured, none failed' });
    expect(world.minute).toBe(10);
    expect(world.said()).toEqual(['0 watch alive pass']);
    expect(world.told.map(({ type }) => type)).toEqual([
      'observation.started',
      'observation.changed',
      'observation.ended',
    ]);
  });

  test('tells a figure that stays beyond its limit when it has been there for so long, and when it is back', async () => {
    world.answer = (minute) => (minute >= 3 && minute < 7 ? refused : good);
    expect(await watch({ watches: [ALIVE] })).toMatchObject({ outcome: 'disturbed', reason: 'failed: watch alive' });
    expect(world.said()).toEqual(['0 watch alive pass', '5 watch alive fail', '7 watch alive pass']);
  });

  test('says nothing of one bad answer', async () => {
    world.answer = (minute) => (minute === 3 ? refused : good);
    expect(await watch({ watches: [ALIVE] })).toMatchObject({ outcome: 'quiet' });
  });

  test('is unmeasured where nothing could be told at the end, whatever was before', async () => {
    const target = { url: '/health', via: { service: 'api', port: 80 } };
    world.isClusterUp = () => false;
    const measure = { ...ROUTE, target };
    expect(await watch({ watches: [{ ...ALIVE, measure }] })).toMatchObject({
      outcome: 'unmeasured',
      reason: 'not measured at the end: watch alive',
    });
    expect(world.said()).toEqual(['2 watch alive unknown']);
  });

  test('asks checks of the stack at every look', async () => {
    world.answer = (minute) => (minute === 4 ? refused : good);
    const check = {
      name: 'front',
      kind: 'http',
      target: { url: 'http://api/' },
      method: 'GET',
      accept: [200],
      when: ['after'],
      scopes: [],
      timeoutMs: 5_000,
    } as unknown as Stack['checks'][number];
    const deps = world.deps({ ...POLICY, checks: ['front'] }, { checks: [check] });
    expect(await observe({ run: 'r1', signal: never }, deps)).toMatchObject({ outcome: 'disturbed' });
    expect(world.said()).toEqual(['0 check front pass', '4 check front fail', '5 check front pass']);
  });

  test('finds kinds of errors that the evidence of the run does not have, without what is secret in them', async () => {
    world.evidence = ['2026-01-01T00:00:00Z ERROR order 1 failed\n'];
    world.log = (minute) =>
      minute < 6 ? 'ERROR order 22 failed\n' : 'ERROR order 3 failed\nERROR login correct-horse-battery refused\n';
    const result = await watch({ logs: { ignore: [] } });
    expect(result).toMatchObject({ outcome: 'disturbed' });
    expect(world.said()).toEqual(['0 logs pass', '6 logs fail']);
    const told = JSON.stringify([world.told, world.journal.entries]);
    expect(told).toContain('ERROR login [redacted:db.password] refused');
    expect(told).not.toContain('correct-horse-battery');
    expect(world.logsAsked[0]?.sinceTime).toBe(END);
  });

  test('does not take a log that is cut for a quiet one, and keeps nothing of its half line', async () => {
    world.evidence = [''];
    const long = `${'INFO all is well\n'.repeat(70_000)}ERROR login correct-horse-ba`;
    world.log = () => long.slice(-1024 * 1024);
    expect(await watch({ logs: { ignore: [] } })).toMatchObject({ outcome: 'unmeasured' });
    expect(world.said()).toEqual(['0 logs unknown']);
    expect(JSON.stringify(world.journal.entries)).not.toContain('correct-horse');
    expect(JSON.stringify(world.told)).toContain('api-1');
  });

  test('counts who is connected to a data store', async () => {
    world.clients = (minute) => (minute === 2 ? 1 : minute === 4 ? 21 : 20);
    const result = await watch({ sessions: [{ store: 'main', atLeast: 2, atMost: 20 }] });
    expect(result).toMatchObject({ outcome: 'disturbed', reason: 'failed: sessions main' });
    expect(world.said().map((line) => line.replace('sessions main ', ''))).toEqual([
      '0 pass',
      '2 fail',
      '3 pass',
      '4 fail',
      '5 pass',
    ]);
  });

  test('compares with the first look where there is no evidence', async () => {
    world.log = (minute) => (minute < 2 ? 'ERROR usual\n' : 'ERROR usual\nERROR unusual\n');
    await watch({ logs: { ignore: [] } });
    expect(world.said()).toEqual(['0 logs pass', '2 logs fail']);
  });

  test('goes on while a later run waits for its approval, and ends where one begins', async () => {
    const waiting = journalOf(ENDED.slice(0, 1), 'r3').map((entry) => ({ ...entry, time: '2026-01-01T00:02:00.000Z' }));
    world.journal.entries.push(...waiting);
    const begun: readonly JournalFact[] = [
      { kind: 'run-created', plan: aPlan({ steps: [aStep('a', 'frozen')] }), by },
      { kind: 'step-begin', operation: 'a1', step: 'a', attempt: 1 },
    ];
    const later = journalOf(begun, 'r2').map((entry) => ({ ...entry, time: '2026-01-01T00:05:00.000Z' }));
    world.answer = (minute) => {
      if (minute === 5 && world.journal.entries.every(({ run }) => run !== 'r2')) world.journal.entries.push(...later);
      return good;
    };
    expect(await watch({ watches: [ALIVE] })).toMatchObject({ outcome: 'stopped', reason: 'run r2 began' });
    expect(world.minute).toBe(6);
  });
});

describe('an observation that is left', () => {
  async function leaveAt(minute: number): Promise<void> {
    const stop = new AbortController();
    world.answer = () => {
      if (world.minute >= minute) stop.abort();
      return good;
    };
    expect(await watch({ watches: [ALIVE] }, { signal: stop.signal })).toEqual({ kind: 'left', run: 'r1' });
  }

  test('is gone on with to the same end, and says that nobody watched in between', async () => {
    await leaveAt(4);
    world.clock.advance(2 * MINUTE);
    const state = fold(await world.journal.read('r1'));
    expect(observedUntil(state, POLICY)).toBe(Date.parse(END) + POLICY.forMs);
    world.answer = () => good;
    const result = await watch({ watches: [ALIVE] });
    expect(result).toMatchObject({ outcome: 'quiet' });
    expect(world.minute).toBe(10);
    const findings = result.kind === 'observed' ? (result.subjects[0]?.findings ?? []) : [];
    expect(findings.map(({ verdict }) => verdict)).toEqual(['pass', 'unknown', 'pass']);
    expect(observedUntil(fold(await world.journal.read('r1')), POLICY)).toBeUndefined();
  });

  test('is over once it is over: it is told again, and not watched again', async () => {
    await watch({ watches: [ALIVE] });
    const entries = world.journal.entries.length;
    expect(await watch({ watches: [ALIVE] })).toMatchObject({ outcome: 'quiet' });
    expect(world.journal.entries).toHaveLength(entries);
    await watch({ watches: [ALIVE] }, { forMs: MINUTE });
    expect(world.minute).toBe(11);
  });
});

describe('what cannot be watched is refused:', () => {
  test.each([
    ['a run that goes on', ENDED.slice(0, 1), POLICY, 0, 'RUN_UNFINISHED'],
    ['a stack that does not say what', ENDED, undefined, 0, 'OBSERVATION_NONE'],
    ['a run that ended long ago', ENDED, POLICY, 11 * MINUTE, 'OBSERVATION_OVER'],
  ])('%s', async (_what, facts, policy, later, code) => {
    const deps = { ...world.deps(POLICY), journal: memoryJournal(journalOf(facts)) };
    const { observe: _observe, ...stack } = deps.stack;
    world.clock.advance(later);
    const asked = observe({ run: 'r1', signal: never }, { ...deps, stack: policy === undefined ? stack : deps.stack });
    await expect(asked).rejects.toMatchObject({ code });
  });
});

test('the report of the run says what came after it, as it is told to people', async () => {
  world.answer = (minute) => (minute >= 3 && minute < 7 ? refused : good);
  await watch({ watches: [ALIVE] });
  const { markdown, html, report } = await renderReport('r1', { journal: world.journal });
  expect(report.observation?.ended?.outcome).toBe('disturbed');
  expect(markdown).toContain('disturbed within 10 min: failed: watch alive');
  expect(markdown).toMatch(
    /## What came after\n\n.*\n.*\n\| watch alive \| 00:00:01 \| pass .*\n\| watch alive \| 00:05:01 \| fail/,
  );
  expect(markdown).toContain('Look at what came after the run');
  expect(html).toContain('What came after');
  expect(world.written.get('report.md')).toBe(markdown);
});
