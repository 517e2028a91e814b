import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseControl } from '../../../src/adapters/postgres/pitr/base.ts';
import { filled } from '../../../src/adapters/postgres/pitr/archive.ts';
import { parseRecord } from '../../../src/adapters/postgres/pitr/records.ts';
import {
  liesOn,
  parseSegment,
  positionOf,
  positionText,
  segmentAt,
  segmentName,
  stretchFrom,
  timelineAt,
  timelineOf,
  wayTo,
} from '../../../src/adapters/postgres/pitr/wal.ts';
import { shellWord } from '../../../src/adapters/postgres/pitr/programs.ts';
import { microsOf, momentOf } from '../../../src/model/index.ts';

const MIB16 = 2 ** 24;
const sizes = fc.constantFrom(2 ** 20, MIB16, 2 ** 26, 2 ** 30);
const positions = fc.bigInt({ min: 0n, max: 2n ** 63n });

describe('positions and files of the write-ahead log', () => {
  it('are written as the server writes them', () => {
    expect(positionOf('0/2000100')).toBe(0x2000100n);
    expect(positionText(positionOf('16/B374D848'))).toBe('16/B374D848');
    expect(segmentName(1, segmentAt(positionOf('0/2000028'), MIB16), MIB16)).toBe('000000010000000000000002');
    expect(segmentName(3, segmentAt(positionOf('2/FF000000'), MIB16), MIB16)).toBe('0000000300000002000000FF');
    for (const other of ['', '0', '0/', '0/123456789', 'x/1']) expect(() => positionOf(other)).toThrow(TypeError);
  });

  it('come back from their texts', () => {
    fc.assert(fc.property(positions, (at) => positionOf(positionText(at)) === at));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0xffff }), positions, sizes, (timeline, at, size) => {
        const number = segmentAt(at, size);
        expect(parseSegment(segmentName(timeline, number, size), size)).toEqual({ timeline, number });
      }),
    );
  });

  it('are told from what else lies in an archive', () => {
    for (const name of [
      '00000002.history',
      '000000010000000000000002.00000028.backup',
      '000000010000000000000003.partial',
      '000000010000000000000003.gz',
      // Beyond what a position can have with files of 16 MiB.
      '000000010000000000000100',
    ])
      expect(parseSegment(name, MIB16)).toBeUndefined();
  });
});

describe('the way from one timeline to another', () => {
  const history = `1\t0/3000060\tno recovery target specified\n\n2\t0/5000000\tbefore 2026-01-01\n`;
  const way = wayTo(3, history);

  it.each([
    ['0/2000000', 1, 1],
    // Where one timeline left another, the later one's file holds both parts.
    ['0/3000028', 2, 1],
    ['0/3000060', 2, 1],
    ['0/3000061', 2, 2],
    ['0/4000000', 2, 2],
    ['0/5000000', 3, 2],
    ['0/9000000', 3, 3],
  ])('at %s: files of %i, written on %i', (at, files, written) => {
    expect(timelineOf(way, segmentAt(positionOf(at), MIB16), MIB16)).toBe(files);
    expect(timelineAt(way, positionOf(at))).toBe(written);
  });

  it('leads from a base backup only where that ended before the timeline was left', () => {
    expect(liesOn(way, 1, positionOf('0/3000060'))).toBe(true);
    expect(liesOn(way, 1, positionOf('0/3000061'))).toBe(false);
    expect(liesOn(way, 3, positionOf('F/0'))).toBe(true);
    expect(liesOn(way, 4, 0n)).toBe(false);
    expect(wayTo(1, undefined)).toEqual([{ timeline: 1 }]);
  });
});

describe('how far the files of a log follow each other', () => {
  it('ends at the first that is missing, and tells it only when later ones are there', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 600 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }),
        (first, present) => {
          const name = (index: number): string => segmentName(1, BigInt(first + index), MIB16);
          const there = new Set(present.flatMap((is, index) => (is ? [name(index)] : [])));
          const gap = present.indexOf(false);
          const length = gap === -1 ? present.length : gap;
          const later = present.slice(length).includes(true);
          expect(stretchFrom(BigInt(first), wayTo(1, undefined), MIB16, there)).toEqual({
            names: present.slice(0, length).map((_is, index) => name(index)),
            ...(later ? { missing: name(length) } : {}),
          });
        },
      ),
    );
  });

  it('changes to the later timeline where that begins, and does not mind files of others', () => {
    const way = wayTo(2, '1\t0/3000060\tx\n');
    const names = ['000000010000000000000002', '000000020000000000000003', '000000020000000000000004'];
    const others = ['000000010000000000000003', '000000010000000000000009', '000000030000000000000009'];
    expect(stretchFrom(2n, way, MIB16, new Set([...names, ...others]))).toEqual({ names });
  });
});

describe('what programs of the server write', () => {
  it.each([
    [
      'rmgr: Transaction len (rec/tot):     34/    34, tx:        726, lsn: 0/030048A8, prev 0/03004868, desc: COMMIT 2026-11-21 13:15:46.499510 UTC',
      { kind: 'transaction', at: 0x30048a8n, micros: microsOf('2026-11-21T13:15:46.499510Z') },
    ],
    [
      'rmgr: Transaction len (rec/tot):     34/    34, tx:        726, lsn: 0/030048A8, prev 0/03004868, desc: ABORT 2026-11-21 13:15:46.499510 UTC; rels: base/5/1',
      { kind: 'transaction', at: 0x30048a8n, micros: microsOf('2026-11-21T13:15:46.499510Z') },
    ],
    [
      'rmgr: Transaction len (rec/tot):     34/    34, tx:        726, lsn: 0/030048A8, prev 0/03004868, desc: COMMIT_PREPARED 731: 2026-11-21 13:15:46.499510 UTC',
      { kind: 'transaction', at: 0x30048a8n, micros: microsOf('2026-11-21T13:15:46.499510Z') },
    ],
    [
      'rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: 0/03004938, prev 0/030048D0, desc: RESTORE_POINT with "q" x',
      { kind: 'restore-point', at: 0x3004938n, name: 'with "q" x' },
    ],
    [
      'rmgr: XLOG        len (rec/tot):     34/    34, tx:          0, lsn: 0/020000D8, prev 0/02000060, desc: BACKUP_END 0/2000028',
      { kind: 'backup-end', at: 0x20000d8n, start: 0x2000028n },
    ],
    [
      'rmgr: XLOG        len (rec/tot):     24/    24, tx:          0, lsn: 0/02000100, prev 0/020000D8, desc: SWITCH ',
      undefined,
    ],
    ['pg_waldump: error: could not find file', undefined],
  ])('%s', (line, record) => {
    expect(parseRecord(line)).toEqual(record);
  });

  it('is refused where pg_controldata says less than it should', () => {
    const lines = [
      'Database system identifier:           7710612811606059001',
      "Latest checkpoint's TimeLineID:       1",
      'Time of latest checkpoint:            Sat Nov 21 13:15:44 2026',
      'max_connections setting:              100',
      'max_worker_processes setting:         8',
      'max_wal_senders setting:              10',
      'max_prepared_xacts setting:           0',
      'max_locks_per_xact setting:           64',
      'Bytes per WAL segment:                16777216',
    ];
    expect(parseControl(lines)).toEqual({
      systemIdentifier: '7710612811606059001',
      timeline: 1,
      segmentBytes: MIB16,
      checkpointAt: Date.UTC(2026, 10, 21, 13, 15, 44) / 1000,
      limits: {
        max_connections: 100,
        max_worker_processes: 8,
        max_wal_senders: 10,
        max_prepared_transactions: 0,
        max_locks_per_transaction: 64,
      },
    });
    for (const missing of lines)
      expect(() => parseControl(lines.filter((line) => line !== missing))).toThrow(TypeError);
  });
});

describe('moments', () => {
  it.each([
    ['2026-11-21T13:15:46.5Z', '2026-11-21T13:15:46.500000Z'],
    ['2026-11-21 13:15:46.49951+00', '2026-11-21T13:15:46.499510Z'],
    ['2026-11-21T13:15:46+01:00', '2026-11-21T12:15:46.000000Z'],
    ['2026-11-21T13:15:46-0330', '2026-11-21T16:45:46.000000Z'],
    ['1969-12-31T23:59:59.999999Z', '1969-12-31T23:59:59.999999Z'],
  ])('%s is %s', (text, moment) => {
    expect(momentOf(microsOf(text) ?? 0n)).toBe(moment);
  });

  it.each([
    '',
    'yesterday',
    '2026-11-21',
    '2026-11-21T13:15:46',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T10:61:00Z',
  ])('%j is none', (text) => {
    expect(microsOf(text)).toBeUndefined();
  });

  it('come back from their texts, in their order', () => {
    const micros = fc.bigInt({ min: -(10n ** 15n), max: 4n * 10n ** 15n });
    fc.assert(
      fc.property(micros, micros, (a, b) => {
        expect(microsOf(momentOf(a))).toBe(a);
        expect(momentOf(a) < momentOf(b)).toBe(a < b);
      }),
    );
  });
});

describe('commands that fetch', () => {
  it('have their places filled in, once', () => {
    expect(filled('%f-%p-%%f-%x', { f: 'a%p', p: 'b' })).toBe('a%p-b-%f-%x');
  });

  it('keep every word whole in a shell', () => {
    expect(shellWord(`it's $HOME "x"`)).toBe(`'it'\\''s $HOME "x"'`);
  });
});
