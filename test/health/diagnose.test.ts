import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/health/diagnose/index.ts';
import { type Observations, SECTIONS, type Seen } from '../../src/health/diagnose/types.ts';
import type { KubeObject } from '../../src/model/index.ts';
import { CASES } from './diagnose-cases.ts';
import { NOW, minutesAgo, pod, seen, event, waiting, restarted, holder } from './observations.ts';

describe('a stack that is well', () => {
  it('has no findings, and every section says what was looked at', () => {
    const { grade, findings, sections } = diagnose(seen());
    expect({ grade, findings }).toEqual({ grade: 'ok', findings: [] });
    expect(sections.map(({ section }) => section)).toEqual([...SECTIONS]);
    for (const { grade: each, message } of sections) {
      expect(each).toBe('ok');
      expect(message).not.toBe('');
    }
  });
});

describe('a finding', () => {
  it.each(CASES)('tells of %s', (_name, part, section, grade, message, next) => {
    const diagnosis = diagnose(seen(part));
    const found = diagnosis.findings.filter((finding) => finding.section === section);
    expect(found).toContainEqual(
      expect.objectContaining({ grade, message: expect.stringMatching(message), next: expect.stringMatching(next) }),
    );
    expect(diagnosis.sections.find((one) => one.section === section)?.grade).toBe(found[0]?.grade);
    if (grade === 'bad') expect(diagnosis.grade).toBe('bad');
  });

  it('is bad for a pod that runs for a moment between two crashes', () => {
    const between = { ...restarted(1), conditions: [{ type: 'Ready', status: 'False' }] };
    expect(diagnose(seen({ pod: pod(between) })).findings[0]).toMatchObject({ section: 'pods', grade: 'bad' });
  });

  it('is not made of what is long ago, nor of what is on purpose', () => {
    const quiet: readonly (Partial<Observations> & { pod?: KubeObject })[] = [
      { pod: pod(restarted(120)) },
      { pod: pod({}, { metadata: { deletionTimestamp: new Date(NOW + 30_000).toISOString() } }) },
      { events: { value: [event('BackOff', 60), event('Pulled', 1, 'pod/x', 'Normal')] } },
      {
        runs: {
          value: [{ run: 'r1', outcome: 'unfinished', phase: 'applied', startedAt: minutesAgo(1), resumable: true }],
        },
        lease: { value: { holder } },
      },
    ];
    const [first, second, third, fourth] = quiet.map((part) => diagnose(seen(part)));
    expect(first?.findings).toEqual([]);
    expect(second?.findings).toEqual([]);
    expect(third?.findings).toEqual([]);
    // The run at work is told by its lease alone.
    expect(fourth?.findings.map(({ section }) => section)).toEqual(['lease']);
  });

  it('of an event stands once for all pods of a workload', () => {
    const events = {
      value: [event('BackOff', 4, 'pod/gateway-5f7b-aaaaa'), event('BackOff', 2, 'pod/gateway-5f7b-bbbbb')],
    };
    const found = diagnose(seen({ events })).findings;
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      subject: 'pod/gateway-5f7b-bbbbb in production',
      message: 'BackOff: BackOff happened (×4)',
    });
  });
});

describe('what cannot be measured', () => {
  const PARTS = [
    'events',
    'slices',
    'usage',
    'names',
    'databases',
    'lease',
    'runs',
    'snapshots',
    'drift',
    'engine',
  ] as const;

  it.each(PARTS)('is unknown and says why: %s', (name) => {
    const { grade, findings, sections } = diagnose(seen({ [name]: { why: 'nobody may look' } as Seen<never> }));
    expect(sections.filter((one) => one.grade === 'unknown')).toMatchObject([{ message: 'nobody may look' }]);
    expect({ grade, findings }).toEqual({ grade: 'ok', findings: [] });
  });

  it('stays unknown where one of many could not be asked', () => {
    const names = { value: [{ name: 'db', reached: 'unknown' as const, said: 'no program that could ask' }] };
    const { grade, sections } = diagnose(seen({ names }));
    expect(grade).toBe('unknown');
    expect(sections.find(({ section }) => section === 'names')?.grade).toBe('unknown');
  });

  it('never hides what is bad: the worst comes first, whatever else there is', () => {
    const why = fc.constantFrom<Partial<Observations>>(...PARTS.map((name) => ({ [name]: { why: 'x' } })));
    fc.assert(
      fc.property(fc.array(why), (parts) => {
        const { grade, findings } = diagnose(
          seen({ ...Object.assign({}, ...parts), pod: pod(waiting('CrashLoopBackOff')) }),
        );
        expect(grade).toBe('bad');
        expect(findings[0]?.grade).toBe('bad');
      }),
    );
  });
});
