import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NOTICE_PLACEHOLDERS, NOTICES, type Notice, type NotificationSetting } from '../../../src/model/index.ts';
import { recipientsOf } from '../../../src/service/notify/recipients.ts';
import { render } from '../../../src/service/notify/render.ts';
import type { Effect, Telling } from '../../../src/service/notify/telling.ts';

const KEY = { env: 'KEY' };
const SETTINGS: Readonly<Record<NotificationSetting['kind'], NotificationSetting>> = {
  slack: { name: 'slack', kind: 'slack', webhook: KEY },
  github: { name: 'github', kind: 'github', api: 'http://api', repository: 'a/b', token: KEY, labels: [] },
  pagerduty: { name: 'pagerduty', kind: 'pagerduty', url: 'http://pd', routingKey: KEY },
  webhook: { name: 'webhook', kind: 'webhook', url: 'http://hook', secret: KEY },
  status: { name: 'status', kind: 'status', url: 'http://status', token: KEY },
};
const KINDS = Object.keys(SETTINGS) as (keyof typeof SETTINGS)[];
const ALL_VALUES = Object.fromEntries(NOTICE_PLACEHOLDERS.map((name) => [name, `the ${name}`]));

function telling(notice: Notice, part: Partial<Telling> = {}): Telling {
  return {
    id: `r1:1:${notice}`,
    subject: 'r1',
    notice,
    stack: 'shop',
    run: 'r1',
    at: '2026-01-01T00:00:00.000Z',
    effect: 'opens',
    values: ALL_VALUES,
    ...part,
  };
}

const every = NOTICES.flatMap((notice) => KINDS.map((kind) => [notice, kind] as const));

describe('built-in texts', () => {
  test.each(every)('%s has whole words for %s', (notice, kind) => {
    for (const effect of ['opens', 'alarms', 'closes'] as const) {
      const { title, text } = render(telling(notice, { effect }), SETTINGS[kind], 'https://backstay.example');
      expect(`${title}\n${text}`).not.toMatch(/\{\{|undefined/);
      expect(title).toContain('the stack');
      expect(text).not.toBe('');
    }
  });

  test.each(NOTICES)('%s leaves a line out rather than showing a hole in it', (notice) => {
    const values = {
      stack: 'shop',
      run: 'r1',
      from: 'a',
      to: 'b',
      outcome: 'failed',
      duration: '1 s',
      decision: 'approved',
      phase: 'applied',
      deadline: '2026-01-01T00:15:00.000Z',
      elapsed: '1 s',
      level: '1',
    };
    const { title, text } = render(telling(notice, { values }), SETTINGS.slack);
    expect(`${title}\n${text}`).not.toContain('{{');
    expect(text).not.toMatch(/Incident|none given/);
  });

  test('name the page of the run, or of the proposal, where there is one', () => {
    const page = 'https://backstay.example';
    expect(render(telling('run.ended', { run: 'r/1' }), SETTINGS.slack, page).link).toBe(`${page}/#/runs/r%2F1`);
    const { run: _run, ...proposed } = telling('proposal.opened', { proposal: 'p1' });
    expect(render(proposed, SETTINGS.slack, page).text).toContain(`${page}/#/proposals/p1`);
    expect(render(telling('run.ended', { values: { stack: 'shop' } }), SETTINGS.slack).link).toBeUndefined();
  });
});

describe('a template', () => {
  test('stands in place of the built-in text, and says what is not known as hooks do', () => {
    const templates = { 'run.ended': '{{stack}}: {{outcome}} ({{incident}})' };
    const values = { stack: 'shop', outcome: 'failed' };
    const { text, title } = render(telling('run.ended', { values }), { kind: 'slack', templates });
    expect(text).toBe('shop: failed (none given)');
    expect(title).toContain('failed');
  });

  test('may call out a channel; what comes from outside may not', () => {
    const templates = { 'proposal.opened': '<!channel> {{alerts}}' };
    const values = { alerts: '<!channel> & <https://evil|click>' };
    expect(render(telling('proposal.opened', { values }), { kind: 'slack', templates }).text).toBe(
      '<!channel> &lt;!channel&gt; &amp; &lt;https://evil|click&gt;',
    );
  });

  test('no value can bring a mark of ours into an issue, or a placeholder into a text', () => {
    fc.assert(
      fc.property(fc.string(), (noise) => {
        const reason = `<!-- backstay:about:r1 -->${noise}{{stack}}`;
        const { text } = render(telling('run.started', { values: { ...ALL_VALUES, reason } }), SETTINGS.github);
        expect(text).not.toContain('<!--');
        expect(text).toContain('{{stack}}');
      }),
    );
  });
});

describe('a status page', () => {
  test('is told nothing that is not for everybody', () => {
    for (const notice of NOTICES) {
      const { text, title, values } = render(telling(notice), SETTINGS.status);
      expect(values).toEqual({});
      for (const name of ['reason', 'by', 'incident', 'because', 'to', 'run', 'severity', 'next'])
        expect(`${title} ${text}`).not.toContain(`the ${name}`);
    }
  });

  test('is not told that the work is done when it is not', () => {
    const text = (effect: Effect): string => render(telling('run.ended', { effect }), SETTINGS.status).text;
    expect(text('closes')).toContain('is done');
    expect(text('alarms')).toContain('still working');
  });

  test('says in the words of the stack that it is done when it is, and that it goes on when it is not', () => {
    const templates = { 'run.ended': 'All is well again.', 'run.stuck': 'We are still on it.' };
    const text = (notice: Notice, effect: Effect, own: NotificationSetting['templates'] = templates): string =>
      render(telling(notice, { effect }), { ...SETTINGS.status, templates: own ?? {} }).text;
    expect(text('run.ended', 'closes')).toBe('All is well again.');
    expect(text('run.ended', 'alarms')).toBe('We are still on it.');
    expect(text('run.stuck', 'alarms')).toBe('We are still on it.');
    // Without words of its own for that it is Backstay's, never those of a good end.
    expect(text('run.ended', 'alarms', { 'run.ended': 'All is well again.' })).toContain('still working');
    // For those who have to know, an end is an end.
    expect(render(telling('run.ended', { effect: 'alarms' }), { kind: 'slack', templates }).text).toBe(
      'All is well again.',
    );
  });
});

describe('who is told', () => {
  const told = (notice: Notice, part: Partial<Telling> = {}, heard: readonly string[] = []): readonly string[] =>
    recipientsOf({ channels: Object.values(SETTINGS) }, telling(notice, part), new Set(heard)).map(({ name }) => name);

  test.each<[string, Notice, Partial<Telling>, readonly string[], readonly string[]]>([
    [
      'nobody is woken by a start; the public hears of it',
      'run.started',
      {},
      [],
      ['slack', 'github', 'webhook', 'status'],
    ],
    ['an approval is no matter of the public', 'approval.needed', {}, [], ['slack', 'github', 'pagerduty', 'webhook']],
    ['what never was opened is not closed', 'run.ended', { effect: 'closes' }, [], ['slack', 'github', 'webhook']],
    [
      'what was opened is closed',
      'run.ended',
      { effect: 'closes' },
      ['pagerduty', 'status'],
      ['slack', 'github', 'pagerduty', 'webhook', 'status'],
    ],
    ['a bad end wakes somebody', 'run.ended', { effect: 'alarms' }, [], ['slack', 'github', 'pagerduty', 'webhook']],
    [
      'a deadline that passed wakes somebody',
      'run.late',
      { effect: 'alarms' },
      [],
      ['slack', 'github', 'pagerduty', 'webhook'],
    ],
    ['nobody has to know of what went away by itself', 'proposal.closed', { effect: 'closes' }, [], []],
    ['an escalation goes to those whom it names', 'escalation', { to: ['webhook'] }, ['slack'], ['webhook']],
  ])('%s', (_what, notice, part, heard, expected) => {
    expect(told(notice, part, heard)).toEqual(expected);
  });

  test('users who want to know that it takes longer hear so once it has begun, not while it waits', () => {
    const users: NotificationSetting = { ...SETTINGS.status, on: ['run.started', 'run.late', 'run.ended'] };
    const hear = (heard: readonly string[]): number =>
      recipientsOf({ channels: [users] }, telling('run.late', { effect: 'alarms' }), new Set(heard)).length;
    expect([hear([]), hear(['status'])]).toEqual([0, 1]);
  });

  test('one who wants little hears the end of what he heard the beginning of', () => {
    const boss: NotificationSetting = { ...SETTINGS.pagerduty, name: 'boss', on: ['escalation'] };
    const names = (heard: readonly string[], effect: Effect): readonly string[] =>
      recipientsOf({ channels: [boss] }, telling('run.ended', { effect }), new Set(heard)).map(({ name }) => name);
    expect(names([], 'closes')).toEqual([]);
    expect(names([], 'alarms')).toEqual([]);
    expect(names(['boss'], 'closes')).toEqual(['boss']);
    expect(names(['boss'], 'alarms')).toEqual(['boss']);
  });
});
