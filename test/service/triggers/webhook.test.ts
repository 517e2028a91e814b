import { describe, expect, test } from 'vitest';
import { personNeededFor, reasonOf, severityOf } from '../../../src/service/triggers/ask.ts';
import { assign } from '../../../src/service/triggers/intake.ts';
import { alertsOf, type WebhookBody } from '../../../src/service/triggers/webhook.ts';
import type { Plan, Proposal, TriggerPolicy } from '../../../src/model/index.ts';
import { alertOf, POLICY } from './alerts.ts';

const BODY: WebhookBody = {
  groupKey: 'g',
  alerts: [
    {
      status: 'firing',
      labels: { alertname: 'HighErrorRate', stack: 'shop' },
      annotations: { summary: 'too many errors', runbook_url: 'https://runbooks.example/errors' },
      startsAt: '2026-03-01T11:00:00+01:00',
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: 'http://prometheus:9090/graph',
      fingerprint: 'f1',
    },
  ],
};
const [RAW] = BODY.alerts as [WebhookBody['alerts'][number]];
const one = (part: Partial<WebhookBody['alerts'][number]>) => alertsOf({ ...BODY, alerts: [{ ...RAW, ...part }] })[0];

describe("Alertmanager's webhook", () => {
  test('is read as alerts: one moment is one text, and what fires has no end', () => {
    expect(one({})).toEqual({
      name: 'HighErrorRate',
      status: 'firing',
      groupKey: 'g',
      fingerprint: 'f1',
      startsAt: '2026-03-01T10:00:00.000Z',
      labels: RAW.labels,
      summary: 'too many errors',
      url: 'https://runbooks.example/errors',
    });
    expect(one({ status: 'resolved', endsAt: '2026-03-01T10:05:00Z' })).toMatchObject({
      status: 'resolved',
      endsAt: '2026-03-01T10:05:00.000Z',
    });
  });

  test.each([
    ['a script', 'javascript:alert(1)', 'http://prometheus:9090/graph'],
    ['no address', '', 'http://prometheus:9090/graph'],
    ['one without end', `https://x.example/${'a'.repeat(3_000)}`, 'http://prometheus:9090/graph'],
  ])('links to no %s', (_name, runbook, url) => {
    expect(one({ annotations: { runbook_url: runbook } })?.url).toBe(url);
    expect(one({ annotations: { runbook_url: runbook }, generatorURL: runbook })?.url).toBeUndefined();
  });

  test('is bounded', () => {
    const huge = one({
      annotations: { summary: 'a'.repeat(100_000) },
      labels: Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`l${n}`, 'x'.repeat(1_000)])),
    });
    expect(JSON.stringify(huge).length).toBeLessThan(60_000);
  });
});

describe('an alert is of the stack', () => {
  const stacks = new Map<string, TriggerPolicy | undefined>([
    ['shop', POLICY],
    ['silent', undefined],
    ['other', { ...POLICY, alerts: { match: {}, stackLabel: 'backstay_stack' } }],
  ]);

  test.each([
    ['that its label names', { stack: 'shop', rollback_trigger: 'true' }, 'shop'],
    ['that another label names, as that stack says', { backstay_stack: 'other', stack: 'what' }, 'other'],
  ])('%s', (_name, labels, stack) => {
    expect(assign({ labels }, stacks)).toMatchObject({ stack });
  });

  test.each([
    ['no label', {}, 'its labels name no stack'],
    ['an unknown stack', { stack: 'nothing', rollback_trigger: 'true' }, 'its labels name no stack'],
    ['a stack without triggers', { stack: 'silent', rollback_trigger: 'true' }, 'the stack silent has no triggers'],
    [
      'none of the labels that are asked for',
      { stack: 'shop', rollback_trigger: 'false' },
      'it has no label rollback_trigger="true"',
    ],
    [
      'two stacks',
      { stack: 'shop', backstay_stack: 'other', rollback_trigger: 'true' },
      'its labels name several stacks: shop, other',
    ],
  ])('and of none with %s', (_name, labels, because) => {
    expect(assign({ labels }, stacks)).toEqual({ because });
  });
});

describe('what is asked for', () => {
  test('says why, in one line', () => {
    expect(reasonOf([alertOf({ summary: 'errors\nat 12 %' })])).toBe('alert HighErrorRate: errors at 12 %');
    expect(reasonOf([alertOf({ summary: 'a' }), alertOf({ name: 'ServiceDown' })])).toBe(
      'alerts HighErrorRate, ServiceDown',
    );
    expect(reasonOf([alertOf({ summary: 'a'.repeat(1_000) })])).toHaveLength(300);
  });

  test('is as grave as the gravest alert that the policy knows', () => {
    const severities = { 'SEV-1': {}, 'SEV-2': {} };
    const of = (...names: readonly string[]) =>
      severityOf(
        names.map((severity) => alertOf({ labels: { severity } })),
        {},
        { severities },
      );
    expect(of('SEV-2', 'SEV-1')).toBe('SEV-1');
    expect(of('critical')).toBeUndefined();
    expect(severityOf([alertOf()], { severity: 'SEV-2' }, { severities })).toBe('SEV-2');
  });

  const plan = { steps: [], warnings: [], options: {} } as unknown as Plan;
  const approval = { severity: 'SEV-2', roles: ['lead'], when: 'before', count: 1, expiresMs: 1 } as const;
  test.each<
    [
      string,
      Partial<Plan>,
      Partial<{ mode: Proposal['mode']; isTargetHeld: boolean; requireSeverity: boolean }>,
      string | undefined,
    ]
  >([
    ['nothing speaks against it', {}, {}, undefined],
    ['the stack wants to be asked', {}, { mode: 'propose' }, 'the stack asks for a person'],
    ['the target failed before', {}, { isTargetHeld: true }, 'held because it failed'],
    ['a severity has to be named', {}, { requireSeverity: true }, 'asks for a severity'],
    ['somebody has to agree before', { approval }, {}, 'severity SEV-2 needs the approval of lead'],
    ['somebody has to agree afterwards', { approval: { ...approval, when: 'after' } }, {}, undefined],
    ['data may be lost', { steps: [{ dataLoss: '3 rows' } as Plan['steps'][number]] }, {}, 'data may be lost (3 rows)'],
  ])(
    'needs a person where %s',
    (_name, part, { mode = 'automatic', isTargetHeld = false, requireSeverity = false }, why) => {
      const said = personNeededFor({ ...plan, ...part }, { mode, isTargetHeld }, { requireSeverity });
      if (why === undefined) expect(said).toBeUndefined();
      else expect(said).toContain(why);
    },
  );
});
