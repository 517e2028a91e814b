import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import { fold, type RunState } from '../../../src/journal/index.ts';
import type { Outcome } from '../../../src/model/index.ts';
import { Recorder } from '../../../src/rollback/index.ts';
import type { ServiceDeps } from '../../../src/service/deps.ts';
import type { LogLine } from '../../../src/service/log.ts';
import type { LoopDeps } from '../../../src/service/loops.ts';
import { deliver } from '../../../src/service/notify/outbox.ts';
import { observationLoop } from '../../../src/service/observe/loop.ts';
import { type LocalServer, localServer } from '../../hooks/server.ts';
import { aPlan, aStep } from '../../rollback/builders.ts';
import { aChange, CONFIG } from '../../rollback/step-support.ts';
import { aStackFile, type TestService, testService } from '../../support/service.ts';

const RUN = '20260301-030000-aaaaaa';

let route: LocalServer;
let receiver: LocalServer;
let service: TestService;
let log: LogLine[];
let ends: (() => Promise<void>)[];
let status: number;

/** A stack whose cluster cannot be reached; what is watched lies outside. */
const stackFile = (time: string, every: string): string =>
  aStackFile(`  backstay:observe:
    for: ${time}
    every: ${every}
    watches: [{ name: front, for: ${every}, measure: { kind: failing, target: { url: "${route.url}" } } }]
  backstay:notifications: { channels: [{ name: audit, kind: webhook, url: "${receiver.url}", secret: { env: AUDIT } }] }
`);

beforeEach(async () => {
  status = 200;
  route = await localServer(() => ({ status }));
  receiver = await localServer(() => ({ status: 200 }));
  service = await testService({ env: { AUDIT: 'whsec_0123456789abcdef' } });
  log = [];
  ends = [];
});
afterEach(async () => {
  await Promise.all(ends.map(async (end) => await end()));
  await service.close();
  await route[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

/** Gives what ends it. */
function start(deps: ServiceDeps): () => Promise<void> {
  const ending = new AbortController();
  const loops: LoopDeps = { ...deps, settings: {} as LoopDeps['settings'], log: (line) => void log.push(line) };
  const work = [observationLoop.start(loops, ending.signal), deliver(loops, ending.signal)];
  const end = async (): Promise<void> => {
    ending.abort();
    await Promise.all(work);
  };
  ends.push(end);
  return end;
}

async function run(outcome: Outcome, id = RUN, stack = 'shop'): Promise<void> {
  const { journal, clock, by } = service.deps;
  const recorder = new Recorder({ journal, clock, reporter: { report: () => {} }, run: id, stack });
  const plan = aPlan({ stack, changes: [aChange(CONFIG, 'update')], steps: [aStep('a', 'applied')] });
  await recorder.append({ kind: 'run-created', plan, by });
  await recorder.append({ kind: 'step-begin', operation: 'a1', step: 'a', attempt: 1 });
  await recorder.append({ kind: 'step-end', operation: 'a1', step: 'a', outcome: 'done' });
  await recorder.append({ kind: 'run-ended', outcome });
}

/** Looks again whenever a journal is written. */
async function until(isSo: (state: RunState) => boolean, id = RUN): Promise<RunState> {
  const followed = new AbortController();
  try {
    for await (const _change of service.deps.records.changes(followed.signal)) {
      const entries = await service.deps.journal.read(id);
      const state = entries.length === 0 ? undefined : fold(entries);
      if (state !== undefined && isSo(state)) return state;
    }
  } finally {
    followed.abort();
  }
  throw new TypeError('the stores were closed before it was so');
}

const verdicts = ({ observation }: RunState): readonly (string | undefined)[] =>
  observation?.subjects[0]?.findings.map(({ verdict }) => verdict) ?? [];

describe('a service', { timeout: 60_000 }, () => {
  test('watches a stack after its run, tells people what was found, and when it is over', async () => {
    await service.machine.stack('shop', stackFile('4s', '200ms'));
    start(service.deps);
    await run('succeeded');
    await until((state) => verdicts(state).at(-1) === 'pass');
    status = 503;
    await until((state) => verdicts(state).at(-1) === 'fail');
    status = 200;
    const state = await until(({ observation }) => observation?.ended !== undefined);
    expect(state.observation?.ended).toMatchObject({ outcome: 'disturbed', reason: 'failed: watch front' });
    expect(verdicts(state)).toEqual(['pass', 'fail', 'pass']);
    await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBe(2);
    const told = receiver.received.map(({ headers }) => headers['idempotency-key']);
    expect(told).toEqual([
      expect.stringMatching(/^20260301-030000-aaaaaa:.*:watch-front:observation\.disturbed$/),
      expect.stringMatching(/^20260301-030000-aaaaaa:.*:observation\.ended$/),
    ]);
    expect(receiver.received[0]?.body).toContain('watch front: ');
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('tells what it could not write down at once, when the records are there again', async () => {
    await service.machine.stack('shop', stackFile('3s', '200ms'));
    status = 503;
    const { records } = service.deps;
    let failures = 0;
    const put: typeof records.put = async (kind, ...rest) => {
      if (kind === 'delivery' && failures < 1) {
        failures += 1;
        throw new BackstayError('JOURNAL_UNREACHABLE', 'the records are away');
      }
      return await records.put(kind, ...rest);
    };
    const away = new Proxy(records, {
      get: (target, name) => {
        if (name === 'put') return put;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    start({ ...service.deps, records: away });
    await run('succeeded');
    await until(({ observation }) => observation?.ended !== undefined);
    await expect.poll(() => receiver.received.length).toBe(2);
    expect(failures).toBe(1);
    expect(receiver.received[0]?.body).toContain('watch front: ');
  });

  test('goes on where another one stopped, and both tell each thing once', async () => {
    await service.machine.stack('shop', stackFile('6s', '200ms'));
    status = 503;
    const end = start(service.deps);
    await run('unvalidated');
    await until((state) => verdicts(state).at(-1) === 'fail');
    await end();
    start(await service.another());
    const state = await until(({ observation }) => observation?.ended !== undefined);
    expect(verdicts(state)).toEqual(['fail', 'unknown', 'fail']);
    await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBe(3);
    const ids = receiver.received.map(({ headers }) => headers['idempotency-key']);
    expect(new Set(ids).size).toBe(3);
  });

  test('does not watch a run that went back, while it watches another one', async () => {
    await service.machine.stack('shop', stackFile('4s', '200ms'));
    await service.machine.stack('store', stackFile('1s', '200ms'));
    await service.machine.stack('quiet', aStackFile());
    await run('returned');
    await run('succeeded', '20260301-030000-bbbbbb', 'quiet');
    await run('succeeded', '20260301-030000-cccccc', 'store');
    start(service.deps);
    await until(({ observation }) => observation?.ended !== undefined, '20260301-030000-cccccc');
    expect(log.filter(({ event }) => event === 'observation.taken')).toMatchObject([{ stack: 'store' }]);
    expect(fold(await service.deps.journal.read(RUN)).observation).toBeUndefined();
  });
});
