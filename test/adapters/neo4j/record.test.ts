import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pointedTo, pointerFrom } from '../../../src/adapters/neo4j/place-local.ts';
import {
  begun,
  besideName,
  finalized,
  leftBy,
  type Pointer,
  restored,
  standing,
  swappedBack,
  swappedIn,
} from '../../../src/adapters/neo4j/record.ts';

const START: Pointer = { live: 'neo4j', runs: {} };

type Act = 'restore' | 'swap' | 'undo' | 'finalize';
const ACTS: readonly Act[] = ['restore', 'swap', 'undo', 'finalize'];

/** What the adapter does with a pointer, without a server. A refusal changes nothing. */
function take(pointer: Pointer, act: Act, run: string): Pointer {
  try {
    switch (act) {
      case 'restore': {
        if (standing(pointer, run) === 'swapped') return pointer;
        const beside = besideName(pointer, run);
        return restored(begun(pointer, run), run, { beside, backup: `b sha256:${run}` });
      }
      case 'swap':
        return swappedIn(pointer, run);
      case 'undo':
        return swappedBack(pointer, run);
      case 'finalize':
        return finalized(pointer, run);
    }
  } catch {
    return pointer;
  }
}

const steps = fc.array(
  fc.record({ act: fc.constantFrom(...ACTS), run: fc.constantFrom('r1', 'r2', '20260101-120000-3f9a2c') }),
  {
    maxLength: 30,
  },
);

describe('the record of what runs put beside a graph', () => {
  it('never lets go of what is served, and keeps each name for one thing', () => {
    fc.assert(
      fc.property(steps, (acts) => {
        let pointer = START;
        const there = new Set(['neo4j']);
        for (const { act, run } of acts) {
          const before = pointer;
          if (act === 'finalize') for (const name of leftBy(before, run)) there.delete(name);
          pointer = take(before, act, run);
          const { beside } = pointer.runs[run] ?? {};
          if (act === 'restore' && pointer !== before && beside !== undefined) {
            expect(beside).not.toBe(before.live);
            there.add(beside);
          }
          expect(there).toContain(pointer.live);
          for (const record of Object.values(pointer.runs)) expect(record.beside).toMatch(/^[a-z][a-z0-9.-]{2,62}$/);
        }
      }),
    );
  });

  it('is the same when an act is taken twice', () => {
    fc.assert(
      fc.property(steps, fc.constantFrom<Act>('swap', 'undo', 'finalize'), (acts, last) => {
        const pointer = acts.reduce((now, { act, run }) => take(now, act, run), START);
        const once = take(pointer, last, 'r1');
        expect(take(once, last, 'r1')).toEqual(once);
      }),
    );
  });

  it('is undone to where it was', () => {
    fc.assert(
      fc.property(steps, (acts) => {
        const pointer = take(
          acts.reduce((now, { act, run }) => take(now, act, run), START),
          'restore',
          'r9',
        );
        const swapped = swappedIn(pointer, 'r9');
        expect(standing(swapped, 'r9')).toBe('swapped');
        const undone = swappedBack(swapped, 'r9');
        expect(undone.live).toBe(pointer.live);
        expect(standing(undone, 'r9')).toBe('undone');
      }),
    );
  });

  it('lets only the run exchange that began last', () => {
    const both = take(take(START, 'restore', 'r1'), 'restore', 'r2');
    expect(() => swappedIn(both, 'r1')).toThrow('belongs to run r2');
    expect(swappedIn(both, 'r2').live).toBe('neo4j-bs-r2');
  });

  it('undoes no exchange that another came after', () => {
    const first = swappedIn(take(START, 'restore', 'r1'), 'r1');
    const second = swappedIn(take(first, 'restore', 'r2'), 'r2');
    expect(() => swappedBack(second, 'r1')).toThrow('came after');
    // What the later run needs for its own undo is not the earlier one's to remove.
    expect(leftBy(second, 'r1')).toEqual(['neo4j']);
  });

  it.each([
    ['neo4j', 'r1', 'neo4j-bs-r1'],
    ['neo4j', '20260101-120000-3f9a2c', 'neo4j-bs-202601011200003f9a2c'],
    ['neo4j-bs-r1', 'r1', 'neo4j-bs-r1-2'],
    ['neo4j-bs-r1', 'r2', 'neo4j-bs-r2'],
  ])('names what stands beside %s for %s %s', (live, run, name) => {
    expect(besideName({ live, runs: {} }, run)).toBe(name);
  });

  it('cuts long names and tells them apart', () => {
    const long = (run: string): string => besideName({ live: `g${'a'.repeat(62)}`, runs: {} }, run);
    expect(long('r1').length).toBeLessThanOrEqual(63);
    expect(long('r1')).not.toBe(long('r2'));
    expect(besideName(START, 'r/1')).not.toBe(besideName(START, 'r1'));
  });
});

describe('neo4j.conf as the pointer of a server of this machine', () => {
  const CONF = '# of the team\nserver.bolt.listen_address=:7687\n\n#initial.dbms.default_database=other\n';

  it('names the database of the stack file when it names none itself', () => {
    expect(pointerFrom(CONF, 'graph')).toEqual({ live: 'graph', runs: {} });
  });

  it('reads it with room around it, and no comment', () => {
    expect(pointerFrom(`${CONF} initial.dbms.default_database = a\n`, 'graph').live).toBe('a');
  });

  it('gives back what was written, and leaves everything else as it is', () => {
    fc.assert(
      fc.property(steps, (acts) => {
        const pointer = acts.reduce((now, { act, run }) => take(now, act, run), START);
        const written = pointedTo(pointedTo(CONF, { live: 'x', runs: {}, holder: 'y' }), pointer);
        expect(pointerFrom(written, 'neo4j')).toEqual(pointer);
        expect(written.startsWith(CONF)).toBe(true);
        expect(pointedTo(written, pointer)).toBe(written);
      }),
    );
  });
});
