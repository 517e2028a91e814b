import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  appliedUnder,
  assertRest,
  assertReversible,
  digested,
  inOrder,
  type Scripted,
  wayThrough,
} from '../../../src/adapters/migrations/way.ts';

const one = (revision: string, ...after: readonly string[]): Scripted => ({
  revision,
  title: `to ${revision}`,
  after,
  reversible: true,
  script: `sha256:${revision.padStart(64, '0')}`,
});

/** a ← b ← c, and on b a branch x ← y; m merges c and y, n stands on m. */
const KNOWN = [
  one('aaaa'),
  one('bbbb', 'aaaa'),
  one('cccc', 'bbbb'),
  one('xxxx', 'bbbb'),
  one('yyyy', 'xxxx'),
  one('mmmm', 'cccc', 'yyyy'),
  one('nnnn', 'mmmm'),
];

const refusal = (text: string) =>
  expect.objectContaining({ code: 'MIGRATION_REFUSED', message: expect.stringContaining(text) as string }) as Error;

describe('the way between two revisions', () => {
  it.each([
    ['cccc', 'aaaa', 'aaaa', 'down', ['cccc', 'bbbb']],
    ['cccc', 'cccc', 'cccc', 'none', []],
    ['cccc', null, null, 'down', ['cccc', 'bbbb', 'aaaa']],
    ['cccc', '-1', 'bbbb', 'down', ['cccc']],
    ['aaaa', '-1', null, 'down', ['aaaa']],
    ['aaaa', 'cccc', 'cccc', 'up', ['bbbb', 'cccc']],
    ['aaaa', 'yyyy', 'yyyy', 'up', ['bbbb', 'xxxx', 'yyyy']],
    [null, 'bbbb', 'bbbb', 'up', ['aaaa', 'bbbb']],
    [null, null, null, 'none', []],
    ['nnnn', 'mmmm', 'mmmm', 'down', ['nnnn']],
  ] as const)('from %s to %s ends at %s: %s through %j', (from, wanted, to, direction, steps) => {
    const way = wayThrough({ heads: from === null ? [] : [from], known: KNOWN }, wanted);
    expect({ ...way, steps: way.steps.map(({ revision }) => revision) }).toEqual({ from, to, direction, steps });
  });

  it.each([
    ['cccc', 'zzzz', 'know no revision zzzz'],
    ['cccc', 'cc', 'know no revision cc'],
    ['cccc', 'yyyy', 'No single line'],
    ['nnnn', 'cccc', 'No single line'],
    ['mmmm', '-1', 'merges cccc and yyyy'],
    ['gone', 'aaaa', 'at gone, which the scripts do not know'],
    [null, '-1', 'nothing to go back from'],
  ] as const)('from %s to %s is refused: %s', (from, wanted, why) => {
    expect(() => wayThrough({ heads: from === null ? [] : [from], known: KNOWN }, wanted)).toThrow(refusal(why));
  });

  it('is refused where there are several heads, and names them', () => {
    expect(() => wayThrough({ heads: ['cccc', 'yyyy'], known: KNOWN }, 'aaaa')).toThrow(
      refusal('2 heads (cccc, yyyy)'),
    );
  });

  it('takes the beginning of a name that is unlike all others, and no other', () => {
    const known = [one('12ab00'), one('12ab34', '12ab00'), one('99ff00', '12ab34')];
    expect(wayThrough({ heads: ['99ff00'], known }, '12ab3').to).toBe('12ab34');
    expect(() => wayThrough({ heads: ['99ff00'], known }, '12ab')).toThrow(
      refusal('Several revisions begin with 12ab'),
    );
  });

  it('ends where the scripts go in a circle', () => {
    const known = [one('aaaa', 'bbbb'), one('bbbb', 'aaaa'), one('cccc')];
    expect(() => wayThrough({ heads: ['aaaa'], known }, 'cccc')).toThrow(refusal('No single line'));
  });

  it('is the other way round backwards, in any line of revisions', () => {
    const line = fc.uniqueArray(fc.stringMatching(/^[0-9a-f]{6,12}$/), { minLength: 2, maxLength: 40 });
    fc.assert(
      fc.property(line, fc.nat(), fc.nat(), (ids, left, right) => {
        const known = ids.map((id, at) => one(id, ...ids.slice(Math.max(0, at - 1), at)));
        const [from, to] = [ids[left % ids.length] ?? '', ids[right % ids.length] ?? ''];
        const there = wayThrough({ heads: [from], known }, to);
        const back = wayThrough({ heads: [to], known }, from);
        expect(there.steps.map(({ revision }) => revision)).toEqual(
          back.steps.map(({ revision }) => revision).toReversed(),
        );
        expect(there.steps).toHaveLength(Math.abs((left % ids.length) - (right % ids.length)));
      }),
    );
  });
});

describe('what is left of a way', () => {
  const from = (heads: readonly string[], known = KNOWN) => digested(wayThrough({ heads, known }, null), 'text');
  const whole = from(['cccc']);

  it('is the way itself, or its end', () => {
    expect(() => assertRest(whole, whole)).not.toThrow();
    expect(() => assertRest(whole, from(['bbbb']))).not.toThrow();
    expect(() => assertRest(whole, from(['aaaa']))).not.toThrow();
  });

  it.each([
    ['a head beside the way', from(['yyyy']), 'is at yyyy, not at cccc'],
    [
      'another text of a script',
      from(
        ['cccc'],
        KNOWN.map((each) => ({ ...each, script: `sha256:${'f'.repeat(64)}` })),
      ),
      'are not those that were planned',
    ],
    [
      'another text of a script that is left',
      from(
        ['bbbb'],
        KNOWN.map((each) => ({ ...each, script: `sha256:${'f'.repeat(64)}` })),
      ),
      'is at bbbb',
    ],
    [
      'other statements',
      digested(wayThrough({ heads: ['cccc'], known: KNOWN }, null), 'others'),
      'are not those that were planned',
    ],
  ])('is not %s', (_what, rest, why) => {
    expect(() => assertRest(whole, rest)).toThrow(refusal(why));
  });

  it('is never more than was planned', () => {
    expect(() => assertRest(from(['bbbb']), whole)).toThrow(refusal('is at cccc'));
  });
});

describe('a step that cannot be taken back', () => {
  const way = wayThrough(
    { heads: ['cccc'], known: KNOWN.map((each) => ({ ...each, reversible: each.revision !== 'bbbb' })) },
    null,
  );

  it('is named', () => {
    expect(() => assertReversible(digested(way))).toThrow(refusal('What bbbb did'));
  });

  it('does not matter on the way up', () => {
    expect(() => assertReversible(digested({ ...way, direction: 'up' }))).not.toThrow();
  });
});

describe('the order of revisions', () => {
  it('has what comes before always first, whatever order they come in', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(KNOWN, { minLength: KNOWN.length }), (shuffled) => {
        const ordered = inOrder(shuffled).map(({ revision }) => revision);
        expect(ordered.toSorted()).toEqual(KNOWN.map(({ revision }) => revision).toSorted());
        for (const { revision, after } of KNOWN) {
          for (const before of after) expect(ordered.indexOf(before)).toBeLessThan(ordered.indexOf(revision));
        }
      }),
    );
  });

  it('does not stumble over thousands of them', () => {
    const many = Array.from({ length: 5000 }, (_, at) => one(`r${at}`, ...(at === 0 ? [] : [`r${at - 1}`])));
    expect(inOrder(many.toReversed())[0]?.revision).toBe('r0');
  });

  it('tells what the heads stand on', () => {
    expect([...appliedUnder({ heads: ['cccc', 'xxxx'], known: KNOWN })].toSorted()).toEqual([
      'aaaa',
      'bbbb',
      'cccc',
      'xxxx',
    ]);
  });
});
