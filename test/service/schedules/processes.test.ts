import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Json } from '../../../src/model/index.ts';
import type { RunMark } from '../../../src/ports/index.ts';
import type { ServiceDeps } from '../../../src/service/deps.ts';
import { endOfFinalize } from '../../../src/service/schedules/deeds.ts';
import { WORK_MS } from '../../../src/service/schedules/scheduler.ts';
import { aWorld, HOUR, look, scheduled, type World } from './world.ts';

const PROOF = '{ name: proof, do: drill, every: 1h }';
const TIDY = '{ name: tidy, do: finalize-expired, every: 1h }';

let world: World;
beforeEach(async () => {
  world = await aWorld();
});
afterEach(async () => await world.close());

describe('what a process of its own does', () => {
  const mark: RunMark = { machine: 'm', pid: 1, started: 1 };
  let commands: string[][];
  let where: 'at work' | 'gone' | 'elsewhere';
  let says: string;

  /** Processes that the test ends; what they say is in real files. */
  const processes = (): ServiceDeps['processes'] => ({
    ...world.service.deps.processes,
    command: async (args, { log: file }) => {
      commands.push([...args]);
      await world.service.deps.files.write(file, says);
      return { mark, ended: new Promise(() => undefined) };
    },
    find: async () => where,
  });

  beforeEach(() => {
    commands = [];
    where = 'at work';
    says = '';
  });

  test.each<[string, string, readonly string[], string, Json]>([
    [
      'proof',
      PROOF,
      ['db', 'verify', 'shop', 'latest', 'main'],
      '{"kind":"Backup","proven":"restored"}',
      { outcome: 'succeeded' },
    ],
    [
      'proof',
      PROOF,
      ['db', 'verify', 'shop', 'latest', 'main'],
      '{"kind":"Error","code":"BACKUP_DAMAGED","message":"It is."}',
      { outcome: 'failed', code: 'BACKUP_DAMAGED', message: 'It is.' },
    ],
    ['tidy', TIDY, ['finalize', 'shop', '--expired', '--yes'], '{"kind":"Expired"}', { outcome: 'succeeded' }],
    ['tidy', TIDY, ['finalize', 'shop', '--expired', '--yes'], '{"kind":"Start"}', { outcome: 'lost' }],
  ])('is followed to its end by whoever is there: %s (%s)', async (name, line, command, said, outcome) => {
    await world.service.machine.stack('shop', scheduled(line));
    const a = world.machine('a', { processes: processes() });
    await look(a);
    world.clock.advance(HOUR);
    says = `${said}\n`;
    await look(a);
    expect(commands).toEqual([command]);
    expect((await world.recordOf(name))?.firing?.work).toBeDefined();
    // The next service on the machine, hours later: as long as it is seen at work, it is.
    const b = world.machine('b', { processes: processes() });
    for (let hours = 0; hours < 3; hours += 1) {
      world.clock.advance(HOUR);
      await look(b);
    }
    expect((await world.recordOf(name))?.last).toBeUndefined();
    where = 'gone';
    await look(b);
    expect((await world.recordOf(name))?.last).toEqual({
      at: new Date(world.clock.now()).toISOString(),
      ...(outcome as object),
    });
    expect(commands).toHaveLength(1);
  });

  test('is lost when no service has seen it for long', async () => {
    await world.service.machine.stack('shop', scheduled(TIDY));
    const a = world.machine('a', { processes: processes() });
    await look(a);
    world.clock.advance(HOUR);
    await look(a);
    where = 'elsewhere';
    const b = world.machine('b', { processes: processes() }, await world.service.another());
    world.clock.advance(WORK_MS - 1);
    await look(b);
    expect((await world.recordOf('tidy'))?.last).toBeUndefined();
    world.clock.advance(1);
    await look(b);
    expect((await world.recordOf('tidy'))?.last).toMatchObject({ outcome: 'lost' });
  });

  test('is the command itself: nothing of this stack is past its retention', async () => {
    await world.service.machine.stack('shop', scheduled(TIDY));
    const a = world.machine('a');
    await look(a);
    world.clock.advance(HOUR);
    await look(a);
    await expect
      .poll(
        async () => {
          await look(a);
          return (await world.recordOf('tidy'))?.last;
        },
        { timeout: 90_000, interval: 200 },
      )
      .toMatchObject({ outcome: 'succeeded' });
  }, 120_000);

  test.each([
    ['nothing', '', { outcome: 'lost' }],
    ['half a line', '{"kind":"Exp', { outcome: 'lost' }],
    [
      'an error, and words after it',
      '{"kind":"Error","code":"KEY_MISSING","message":"m"}\nwords',
      { outcome: 'failed', code: 'KEY_MISSING', message: 'm' },
    ],
    ['what was removed', '{"kind":"Start"}\n{"kind":"Expired","runs":[]}\n', { outcome: 'succeeded' }],
  ])('that said %s', (_what, text, ending) => expect(endOfFinalize(text)).toEqual(ending));
});
