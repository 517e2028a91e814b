import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json } from '../../src/model/index.ts';
import type { ServiceRecord, ServiceStore } from '../../src/ports/index.ts';
import { type Claimable, type Held, heldByOther, type Holder, take, takeWhole } from '../../src/service/claim.ts';
import { type TestService, testService } from '../support/service.ts';
import { type HandClock, handClock } from './notify/support/hand-clock.ts';

const MS = 60_000;

/** Everything that has been decided has also been done by then. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Compare-and-set as the ports say, but each write waits until the test lets one of them happen, in any order. */
class SlowRecords {
  readonly waiting: (() => void)[] = [];
  record: ServiceRecord | undefined;

  readonly get: ServiceStore['get'] = async () => await Promise.resolve(this.record);

  readonly put: ServiceStore['put'] = async (kind, key, expected, value) =>
    await new Promise((resolve) => {
      this.waiting.push(() => {
        if ((this.record?.version ?? 0) !== expected) return resolve(undefined);
        this.record = { kind, key, version: expected + 1, at: '', value };
        resolve(this.record);
      });
    });

  happen(which: number): void {
    const [write] = this.waiting.splice(which % Math.max(1, this.waiting.length), 1);
    write?.();
  }
}

/** Of several services, one that asks, holds or is dead. */
interface Member {
  readonly clock: HandClock;
  held: Held<Holder> | undefined;
  isAsking: boolean;
  isDead: boolean;
}

class World {
  readonly records = new SlowRecords();
  readonly members: readonly Member[];

  constructor(size: number) {
    this.members = Array.from({ length: size }, () => ({
      clock: handClock(),
      held: undefined,
      isAsking: false,
      isDead: false,
    }));
  }

  /** As a service does it: read, then take what is nobody's. */
  look(index: number): void {
    const one = this.members[index];
    if (one === undefined || one.isAsking || one.isDead || this.isAt(one)) return;
    const self = `service-${index}`;
    one.isAsking = true;
    const claimant = { records: this.records, clock: one.clock, self, ms: MS };
    void takeWhole({ kind: 'trigger', key: 'k' }, claimant).then((held) => {
      one.held = typeof held === 'number' ? undefined : held;
      one.isAsking = false;
    });
  }

  leave(index: number): void {
    const one = this.members[index];
    if (one?.held === undefined || one.isDead) return;
    void one.held.giveUp();
    one.held = undefined;
  }

  /** Killed: time goes on without it, and what it had asked for may still happen. */
  die(index: number): void {
    const one = this.members[index];
    if (one !== undefined) one.isDead = true;
  }

  pass(ms: number): void {
    for (const { clock, isDead } of this.members) if (!isDead) clock.advance(ms);
  }

  isAt({ held, isDead }: Member): boolean {
    return !isDead && held !== undefined && !held.lost.aborted;
  }

  atIt(): number {
    return this.members.filter((one) => this.isAt(one)).length;
  }
}

const member = fc.nat({ max: 3 });
const deed = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('look' as const), who: member }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('happen' as const), which: fc.nat({ max: 5 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 2 * MS }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), who: member }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('die' as const), who: fc.nat({ max: 2 }) }) },
);
type Deed = typeof deed extends fc.Arbitrary<infer One> ? One : never;

function act(world: World, one: Deed): void {
  if (one.do === 'look') world.look(one.who);
  if (one.do === 'happen') world.records.happen(one.which);
  if (one.do === 'pass') world.pass(one.ms);
  if (one.do === 'leave') world.leave(one.who);
  if (one.do === 'die') world.die(one.who);
}

describe('several services', () => {
  test('never both hold one thing, and one of them takes it over from the dead', async () => {
    let handovers = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 10, maxLength: 60 }), async (deeds) => {
        const world = new World(4);
        for (const one of deeds) {
          act(world, one);
          await settled();
          expect(world.atIt()).toBeLessThanOrEqual(1);
        }
        // Whatever was written late is there; then all but the last one die.
        for (let late = world.records.waiting.length; late > 0; late -= 1) {
          world.records.happen(0);
          await settled();
        }
        for (const index of [0, 1, 2]) world.die(index);
        if (world.atIt() === 0) handovers += 1;
        world.pass(MS);
        await settled();
        world.records.happen(0);
        await settled();
        world.look(3);
        await settled();
        world.records.happen(0);
        await settled();
        expect(world.atIt()).toBe(1);
      }),
      { numRuns: 300 },
    );
    expect(handovers).toBeGreaterThan(0);
  });
});

describe('what a service holds', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await testService();
  });
  afterAll(async () => await service.close());

  const key = 'shop/watch';
  const stored = async (): Promise<Holder> =>
    (await service.deps.records.get('trigger', key))?.value as unknown as Holder;

  test('is renewed in the records as long as it is at it, beside what else is there, and left as it says', async () => {
    const { records } = service.deps;
    const clock = handClock();
    const what: Claimable<Holder & { readonly more: string }> = {
      kind: 'trigger',
      key,
      version: 0,
      held: (by) => ({ ...by, more: 'kept' }),
    };
    const held = await take(what, { records, clock, self: 'a', ms: MS });
    expect(await take(what, { records, clock, self: 'b', ms: MS })).toBeUndefined();
    for (let quarters = 1; quarters <= 9; quarters += 1) {
      await expect.poll(() => clock.asleep(), { timeout: 60_000 }).toBe(1);
      clock.advance(MS / 4);
      const until = new Date(clock.now() + MS).toISOString();
      await expect.poll(stored, { timeout: 60_000 }).toEqual({ service: 'a', until, more: 'kept' });
    }
    const last = { service: 'a', until: new Date(clock.now()).toISOString(), more: 'left' };
    expect(await held?.leave(last)).toBe(true);
    expect(await stored()).toEqual(last);
    expect(clock.asleep()).toBe(0);
    expect(held?.lost.aborted).toBe(false);
    expect(heldByOther(await stored(), 'b', clock.now())).toBeUndefined();
  });

  test('is left after a renewal that is under way, not beside it', async () => {
    const clock = handClock();
    const records = new SlowRecords();
    const what: Claimable<Holder> = { kind: 'trigger', key, version: 0, held: (by) => by };
    const taking = take(what, { records, clock, self: 'a', ms: MS });
    records.happen(0);
    const held = await taking;
    clock.advance(MS / 4);
    await settled();
    const last = { service: 'a', until: new Date(clock.now()).toISOString() };
    const leaving = held?.leave(last);
    for (let writes = 0; writes < 2; writes += 1) {
      await settled();
      expect(records.waiting).toHaveLength(1);
      records.happen(0);
    }
    expect(await leaving).toBe(true);
    expect(records.record?.value).toEqual(last);
  });

  test('is lost with what the records throw, and when they have not answered until its time is over', async () => {
    const clock = handClock();
    let put = async (_value: Json): Promise<ServiceRecord | undefined> => ({ version: 1 }) as ServiceRecord;
    const records = {
      get: async () => await Promise.resolve(undefined),
      put: async (...asked: Parameters<ServiceStore['put']>) => await put(asked[3]),
    };
    const what: Claimable<Holder> = { kind: 'trigger', key, version: 0, held: (by) => by };
    const away = await take(what, { records, clock, self: 'a', ms: MS });
    const mute = await take(what, { records, clock, self: 'a', ms: MS });
    const [thrown, never] = [new Error('away'), new Promise<undefined>(() => undefined)];
    put = async () => await Promise.reject(thrown);
    const second = put;
    let asked = 0;
    put = async () => ((asked += 1) === 1 ? await second(null) : await never);
    clock.advance(MS / 4);
    await settled();
    expect(away?.lost.reason).toBe(thrown);
    expect(await away?.leave({ service: 'a', until: '' })).toBe(false);
    for (let quarters = 2; quarters <= 4; quarters += 1) {
      expect(mute?.lost.aborted).toBe(false);
      clock.advance(MS / 4);
      await settled();
    }
    expect(mute?.lost.reason).toMatchObject({ name: 'TakenOver' });
    // It asked once, and waits for that answer.
    expect(asked).toBe(2);
  });
});
