import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseWay, type RestorePoint } from '../../../src/adapters/postgres/pitr/choose.ts';
import type { Way } from '../../../src/adapters/postgres/pitr/ways.ts';
import { momentOf, type RecoveryTarget } from '../../../src/model/index.ts';

interface Case {
  readonly name: string;
  readonly from: number;
  /** Absent: an archive that cannot be listed. */
  readonly to?: number;
  readonly missing?: string;
}

/** Positions are as its times. */
function wayOf({ name, from, to, missing }: Case): Way {
  const base = {
    name,
    folder: `/base/${name}`,
    bytes: 1,
    systemIdentifier: '7',
    major: 15,
    timeline: 1,
    start: '0/0',
    segmentBytes: 2 ** 24,
    checkpointAt: 0,
    limits: {},
    listed: true,
  };
  return {
    base,
    legs: [{ timeline: 1 }],
    files: [],
    from: BigInt(from),
    end: BigInt(from),
    ...(to === undefined ? {} : { to: BigInt(to) }),
    ...(missing === undefined ? {} : { missing }),
    window: {
      base: name,
      from: momentOf(BigInt(from)),
      ...(to === undefined ? {} : { to: momentOf(BigInt(to)) }),
      ...(missing === undefined ? {} : { missing }),
    },
  };
}

const at = (micros: number): RecoveryTarget => ({ kind: 'time', time: momentOf(BigInt(micros)) });
const named = (name: string): RecoveryTarget => ({ kind: 'restore-point', name });
const unusable: Way = {
  ...wayOf({ name: 'odd', from: 0 }),
  window: { base: 'odd', problem: 'it is of another cluster' },
};

describe('the way to a moment', () => {
  const monday = { name: 'monday', from: 100, to: 900 };
  const friday = { name: 'friday', from: 500, to: 900 };

  it.each<[string, number, readonly Case[], string]>([
    ['the newest base backup before it', 700, [monday, friday], 'friday'],
    ['its very end', 500, [friday, monday], 'friday'],
    ['an older one where the newest ended later', 499, [monday, friday], 'monday'],
    ['one beyond a gap of an older one', 700, [{ ...monday, to: 300, missing: 'X' }, friday], 'friday'],
    ['one whose archive cannot be listed', 5000, [{ name: 'far', from: 100 }], 'far'],
  ])('is from %s', (_what, time, cases, base) => {
    expect(chooseWay(at(time), [unusable, ...cases.map(wayOf)]).base.name).toBe(base);
  });

  it.each<[string, RecoveryTarget, readonly Case[], string]>([
    ['too early', at(99), [monday, friday], 'before the end of the oldest base backup'],
    ['too late', at(900), [monday, friday], 'the log that was archived ends before it'],
    ['in a gap', at(400), [{ ...monday, to: 300, missing: '0001' }, friday], '0001 is missing'],
    ['without a usable base backup', at(400), [], 'nothing can be recovered'],
    ['an unknown name', named('c'), [monday], 'it knows a, b, old'],
    ['a name that was given twice', named('b'), [monday], 'the log has 2 of that name'],
    ['a name before every base backup', named('old'), [monday, friday], 'before the end of the oldest base backup'],
  ])('is refused when it is %s, and the possible told', (_what, target, cases, why) => {
    const points: readonly RestorePoint[] = [
      { name: 'a', at: 600n },
      { name: 'b', at: 610n },
      { name: 'b', at: 620n },
      { name: 'old', at: 50n },
    ];
    const refusal = (() => {
      try {
        return chooseWay(target, [unusable, ...cases.map(wayOf)], points);
      } catch (error) {
        return error;
      }
    })();
    expect(refusal).toMatchObject({ code: 'RECOVERY_REFUSED' });
    expect(String(refusal)).toContain(why);
    expect(String(refusal)).toContain('odd: it is of another cluster');
    for (const { name } of cases) expect(String(refusal)).toContain(`(${name})`);
  });

  it('is refused without any base backup', () => {
    expect(() => chooseWay(at(1), [])).toThrow('there is no base backup');
  });

  it('goes to a name from the newest base backup that ended before it, however often a log was read', () => {
    const points = [
      { name: 'a', at: 600n },
      { name: 'a', at: 600n },
      { name: 'early', at: 300n },
    ];
    expect(chooseWay(named('a'), [monday, friday].map(wayOf), points).base.name).toBe('friday');
    expect(chooseWay(named('early'), [monday, friday].map(wayOf), points).base.name).toBe('monday');
    // What cannot be read through is left to the server.
    expect(chooseWay(named('?'), [monday, friday].map(wayOf)).base.name).toBe('friday');
  });

  it('never begins after its moment, never ends before it, and is the shortest', () => {
    const cases = fc.array(fc.record({ from: fc.nat(100), length: fc.nat(100) }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(cases, fc.nat(220), (given, time) => {
        const ways = given.map(({ from, length }, index) => wayOf({ name: String(index), from, to: from + length }));
        const fit = given.filter(({ from, length }) => from <= time && time < from + length);
        if (fit.length === 0) {
          expect(() => chooseWay(at(time), ways)).toThrow('cannot be reached');
          return;
        }
        const { from } = chooseWay(at(time), ways);
        expect(Number(from)).toBe(Math.max(...fit.map((one) => one.from)));
      }),
    );
  });
});
