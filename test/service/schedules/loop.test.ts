import { expect, test } from 'vitest';
import { LOOPS, type LoopDeps } from '../../../src/service/loops.ts';
import type { LogLine } from '../../../src/service/log.ts';
import { scheduleLoop } from '../../../src/service/schedules/loop.ts';
import { aStackFile, testService } from '../../support/service.ts';
import { handClock } from '../notify/support/hand-clock.ts';

test('the loop is among what a service starts, looks as time goes on, and ends with the signal', async () => {
  expect(LOOPS).toContain(scheduleLoop);
  const schedules = '  backstay:schedules: [{ name: tidy, do: finalize-expired, every: 1m }]\n';
  const service = await testService({ stacks: { shop: aStackFile(schedules) } });
  const clock = handClock();
  const log: LogLine[] = [];
  const stop = new AbortController();
  const commands: string[] = [];
  const processes = {
    ...service.deps.processes,
    command: async (args: readonly string[]) => {
      commands.push(args.join(' '));
      return { mark: { machine: 'm', pid: 1, started: 1 }, ended: new Promise<void>(() => undefined) };
    },
  };
  const deps = { ...service.deps, clock, processes, settings: {}, log: (line: LogLine) => log.push(line) };
  const work = scheduleLoop.start(deps as unknown as LoopDeps, stop.signal);
  for (let looks = 0; looks < 4; looks += 1) {
    await expect.poll(() => clock.asleep(), { timeout: 60_000 }).toBe(1);
    expect(commands).toEqual([]);
    // A minute in four looks: stack files are read again that often.
    clock.advance(15_000);
  }
  await expect.poll(() => commands, { timeout: 60_000 }).toEqual(['finalize shop --expired --yes']);
  stop.abort();
  await work;
  expect(log).toMatchObject([{ event: 'schedule.fired', stack: 'shop', schedule: 'tidy', do: 'finalize-expired' }]);
  await service.close();
}, 120_000);
