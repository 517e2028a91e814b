import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderHtml, renderTimeline } from '../../../src/actions/report/html.ts';
import { renderMarkdown } from '../../../src/actions/report/markdown.ts';
import { escapeMarkup, markup } from '../../../src/actions/report/markup.ts';
import { timeScale } from '../../../src/actions/report/time-scale.ts';
import { lanesOf } from '../../../src/actions/report/timeline-rows.ts';
import { downtimeInShort } from '../../../src/actions/report/words.ts';
import { fold, type JournalEntry, type JournalFact } from '../../../src/journal/index.ts';
import type { RunEventBody } from '../../../src/model/index.ts';
import { reportOf, type RunReport } from '../../../src/rollback/index.ts';
import { aPlan, aStep } from '../../rollback/builders.ts';
import { journalOf } from '../../support/journal.ts';

const by = { user: 'ada', host: 'laptop' };
const at = (seconds: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)).toISOString();

let told = 0;
function event(body: RunEventBody): JournalFact {
  told += 1;
  return { kind: 'event', event: { ...body, run: 'r1', stack: 'medical-kg', sequence: told, time: at(0) } as never };
}

/** Down for two seconds, resumed once, noted twice: an entry a second. */
function run(text = (said: string): string => said): readonly JournalEntry[] {
  told = 0;
  const plan = aPlan({
    steps: [
      aStep('pause', 'frozen', { title: text('Pause ingest'), expected: { ms: 1_000, runs: 3 } }),
      aStep('swap', 'restored', { title: 'Swap the database', dataLoss: text('rows after 23:00') }),
    ],
    postMortemMs: 48 * 3_600_000,
    options: { ...aPlan().options, reason: text('Docling is slow'), severity: 'SEV-1', incident: text('INC-7') },
  });
  const probe = (verdict: 'up' | 'down', second: number): JournalFact =>
    event({ type: 'probe.changed', name: text('route'), verdict, reason: text(`answers ${verdict}`), at: at(second) });
  return journalOf([
    { kind: 'run-created', plan, by, trigger: 'alert' },
    probe('up', 0),
    { kind: 'step-begin', operation: 'a', step: 'pause', attempt: 1 },
    { kind: 'step-end', operation: 'a', step: 'pause', outcome: 'done', message: text('paused') },
    probe('down', 3),
    probe('up', 5),
    { kind: 'step-begin', operation: 'b', step: 'swap', attempt: 1 },
    { kind: 'resumed', by: { user: text('grace'), host: 'desk' } },
    probe('up', 8),
    { kind: 'step-begin', operation: 'c', step: 'swap', attempt: 2 },
    { kind: 'step-end', operation: 'c', step: 'swap', outcome: 'warned', message: text('slow') },
    { kind: 'run-ended', outcome: 'succeeded' },
    { kind: 'noted', by, topic: 'root-cause', text: text('no model in the image') },
    { kind: 'noted', by, topic: 'root-cause', text: text('the model was too large') },
    { kind: 'noted', by, topic: 'follow-up', text: text('make the image smaller') },
    { kind: 'noted', by, topic: 'follow-up', text: text('alert on the size') },
  ]);
}

const reportFrom = (entries: readonly JournalEntry[]): RunReport => reportOf(fold(entries), entries);

describe('the deadline in a report', () => {
  const row = (deadlineMs: number | undefined, ...facts: readonly JournalFact[]): string | undefined => {
    const plan = aPlan(deadlineMs === undefined ? {} : { deadlineMs });
    return /^\| To be done by \| (.*) \|$/m.exec(
      renderMarkdown(reportFrom(journalOf([{ kind: 'run-created', plan, by }, ...facts]))),
    )?.[1];
  };
  const ended = (outcome: Extract<JournalFact, { kind: 'run-ended' }>['outcome']): JournalFact => ({
    kind: 'run-ended',
    outcome,
  });

  it.each<[string, number | undefined, readonly JournalFact[], string | undefined]>([
    ['none', undefined, [ended('succeeded')], undefined],
    ['kept', 60_000, [ended('succeeded')], '2026-01-01 00:01:00 UTC: kept'],
    ['missed', 250, [ended('unvalidated')], '2026-01-01 00:00:00 UTC: missed by 750 ms'],
    ['neither by what went wrong', 60_000, [ended('failed')], '2026-01-01 00:01:00 UTC'],
    ['neither by what is not over', 60_000, [], '2026-01-01 00:01:00 UTC'],
  ])('is %s', (_what, deadlineMs, facts, expected) => {
    expect(row(deadlineMs, ...facts)).toBe(expected);
  });
});

describe('a report', () => {
  it('tells what a reviewer asks, from the journal alone', () => {
    const report = reportFrom(run());
    expect(report).toMatchObject({
      trigger: 'alert',
      severity: 'SEV-1',
      postMortemDue: '2026-01-03T00:00:11.000Z',
      dataLoss: [{ step: 'Swap the database', what: 'rows after 23:00' }],
      downtime: [{ probe: 'route', upMs: 7_000, downMs: 2_000, unknownMs: 2_000 }],
      resumes: [{ at: at(7), idleSince: at(6) }],
      findings: { rootCause: { text: 'the model was too large' }, followUps: [{}, { text: 'alert on the size' }] },
    });
    expect(report.followUps.slice(-2)).toEqual(['make the image smaller', 'alert on the size']);
    expect(report.steps[0]).toMatchObject({ beganAt: at(2), endedAt: at(3), expectedMs: 1_000 });
    expect(downtimeInShort(report)).toBe('2.0 s measured, 2.0 s unknown');
  });

  it('says the same in both forms', () => {
    const report = reportFrom(run());
    const [html, markdown] = [renderHtml(report), renderMarkdown(report)];
    for (const said of [
      '2.0 s measured, 2.0 s unknown',
      'the model was too large',
      'rows after 23:00',
      'SEV-1',
      'alert on the size',
      '2026-01-03 00:00:11 UTC',
      'alert, ada on laptop',
    ]) {
      expect(html).toContain(said);
      expect(markdown).toContain(said);
    }
  });

  it.each(['succeeded', 'mixed-resumed', 'went-back'])('of the recorded run %s is what it was', async (name) => {
    const file = new URL(`../../histories/format-1-${name}.json`, import.meta.url);
    const report = reportFrom(JSON.parse(await readFile(file, 'utf8')) as readonly JournalEntry[]);
    await expect(renderMarkdown(report)).toMatchFileSnapshot(`golden/${name}.md`);
    await expect(renderTimeline(report)).toMatchFileSnapshot(`golden/${name}.svg`);
  });
});

describe('the page', () => {
  const hostile = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '</title></style><svg onload=alert(1)>',
    '[x](javascript:alert(1))',
    'javascript:alert(1)',
    '\u202egnp.exe\u0000',
  ];

  it.each(hostile)('shows %j as text, wherever it came from', (attack) => {
    const report = reportFrom(run(() => attack));
    const html = renderHtml({ ...report, stack: attack, target: { ...report.target, said: attack } });
    expect(tagsOf(html)).toEqual(tagsOf(renderHtml({ ...report, ...harmless(report) })));
    expect(html).not.toContain('\u202e');
    expect(html).not.toContain('\u0000');
    const markdown = renderMarkdown({ ...report, stack: attack });
    expect(markdown).not.toMatch(/<[a-z/]/i);
    expect(markdown).not.toContain('](');
  });

  /** The same report with every text of it replaced by a harmless one. */
  function harmless(attacked: RunReport): RunReport {
    const calm = reportFrom(run(() => 'calm'));
    return { ...calm, time: attacked.time };
  }

  /** Elements and the names of their attributes, in order; nothing of what stands between them. */
  function tagsOf(html: string): readonly string[] {
    return (
      [...html.matchAll(/<([a-z][a-z0-9]*)((?:\s+[a-zA-Z:-]+(?:="[^"]*")?)*)\s*\/?>/g)]
        .map(
          ([, name, attributes = '']) =>
            `${name} ${[...attributes.matchAll(/([a-zA-Z:-]+)=/g)].map(([, one]) => one).join(' ')}`,
        )
        // How wide a label is decides whether it is drawn at all.
        .filter((tag) => !tag.startsWith('text '))
    );
  }

  it('needs nothing else, and forbids it', () => {
    const html = renderHtml(reportFrom(run()));
    expect(html).not.toMatch(/<script|<link|<iframe|<img|<object|\son[a-z]+=|\sstyle=/i);
    expect(html.match(/https?:\/\/[^"< ]+/g)).toEqual(['http://www.w3.org/2000/svg']);
    expect(html).toMatch(/default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'/);
  });

  it('links what is a web address and nothing else', () => {
    const page = (incident: string): string => renderHtml({ ...reportFrom(run()), incident });
    expect(page('https://pagerduty.example/42')).toContain('<a href="https://pagerduty.example/42"');
    for (const other of ['javascript:alert(1)', 'data:text/html,x', 'INC-7', 'see https://x.example'])
      expect(page(other)).not.toContain('<a href');
  });

  it('lets no text become markup', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapeMarkup(text)).not.toMatch(/[<>"']/);
        const safe = escapeMarkup(text);
        expect(markup`<p title="${text}">${[text]}</p>`.text).toBe(`<p title="${safe}">${safe}</p>`);
      }),
    );
  });
});

describe('the time scale', () => {
  it('keeps the order of moments and stays inside of the picture', () => {
    const idle = fc.tuple(fc.nat(50_000), fc.nat(5_000_000));
    fc.assert(
      fc.property(
        fc.array(idle, { maxLength: 4 }),
        fc.nat(60_000),
        fc.array(fc.nat(6_000_000)),
        (gaps, last, moments) => {
          let time = 0;
          const stretches = gaps.map(([work, rest]) => {
            const from = time + work;
            time = from + rest;
            return { from, to: time };
          });
          const scale = timeScale({ from: 0, to: time + last, idle: stretches }, 250, 976);
          const places = moments.toSorted((a, b) => a - b).map((ms) => scale.x(ms));
          expect(places).toEqual(places.toSorted((a, b) => a - b));
          for (const x of [...places, ...scale.ticks.map((tick) => tick.x)]) {
            expect(x).toBeGreaterThanOrEqual(250);
            expect(x).toBeLessThanOrEqual(976.1);
          }
        },
      ),
    );
  });

  it('draws a night in which nothing ran short', () => {
    const night = { from: 10_000, to: 10_000 + 8 * 3_600_000 };
    const { x, breaks } = timeScale({ from: 0, to: night.to + 10_000, idle: [night] }, 0, 1_000);
    expect(breaks).toMatchObject([{ ms: 8 * 3_600_000 }]);
    expect(x(night.from)).toBeCloseTo(478, 0);
    expect(x(night.to) - x(night.from)).toBeCloseTo(44, 0);
  });
});

describe('the timeline', () => {
  it('shows each thing when it was, and in words what its colour means', () => {
    const lanes = lanesOf(reportFrom(run()));
    expect(lanes.map(({ title }) => title)).toEqual(['Downtime', 'Steps']);
    const [downtime, steps] = lanes;
    expect(downtime?.rows[0]?.bars.map(({ tone, label }) => [tone, label])).toEqual([
      ['good', undefined],
      ['bad', 'down 2.0 s'],
      ['good', undefined],
      ['unknown', 'unknown 2.0 s'],
      ['good', undefined],
    ]);
    expect(steps?.rows[1]?.bars).toEqual([
      {
        from: Date.parse(at(9)),
        to: Date.parse(at(10)),
        tone: 'warn',
        said: 'Swap the database: warned, 1.0 s. slow',
        label: '1.0 s',
      },
    ]);
  });

  it('leaves out the quicker objects and the passing checks, and says so', () => {
    const report = reportFrom(run());
    const objects = Array.from({ length: 20 }, (_, i) => ({
      key: `apps/Deployment/p/d${i}`,
      from: at(0),
      to: at(i),
      state: 'ready',
    }));
    const after = Array.from({ length: 30 }, (_, i) => ({
      name: `c${i}`,
      kind: 'http',
      verdict: i === 29 ? ('fail' as const) : ('pass' as const),
      reason: '',
      at: at(1),
      durationMs: 5,
    }));
    const lanes = lanesOf({ ...report, objects, checks: { before: [], after } });
    const lane = (title: string) => lanes.find((one) => one.title === title);
    expect(lane('Objects')?.rows.map(({ label }) => label)).toContain('deployment/d19');
    expect(lane('Objects')?.more).toBe('and 8 quicker objects, in the tables');
    expect(lane('Checks')?.rows[0]?.label).toBe('c29');
    expect(lane('Checks')?.more).toBe('and 12 passing checks, in the tables');
  });
});
