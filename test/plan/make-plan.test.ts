import { describe, expect, test } from 'vitest';
import {
  type Change,
  type CheckSetting,
  digestOf,
  type HookSetting,
  keyOf,
  type Phase,
  PHASES,
  type Plan,
  type PlanOptions,
  refOf,
  type Stack,
  type Step,
} from '../../src/model/index.ts';
import {
  CHANGE_RISKS,
  hashOfPlan,
  makePlan,
  OPTION_RISKS,
  type PlanInput,
  riskOfChange,
} from '../../src/plan/index.ts';
import { aHook } from '../rollback/builders.ts';
import { STACK } from './live.ts';
import { configMap, deployment, object, OPTIONS, secret } from './manifests.ts';

function change(
  one: Parameters<typeof keyOf>[0] & object,
  action: Change['action'],
  part: Partial<Change> = {},
): Change {
  return {
    key: keyOf(one),
    ref: refOf(one as ReturnType<typeof configMap>),
    action,
    fields: [],
    takesOver: [],
    ...part,
  };
}

function planned(part: Partial<PlanInput> = {}, stack: Partial<Stack> = {}, options: Partial<PlanOptions> = {}): Plan {
  return makePlan({
    stack: { ...STACK, ...stack },
    clusterUid: 'c1',
    createdAt: '2026-01-01T00:00:00.000Z',
    scope: { kind: 'application' },
    target: { id: digestOf('target'), said: 'v1', labels: [] },
    live: digestOf('live'),
    foreign: [],
    changes: [change(deployment('gateway'), 'update')],
    desired: [deployment('gateway')],
    warnings: [],
    rollingOut: new Set(),
    options: { ...OPTIONS, ...options },
    ...part,
  });
}

const ids = (plan: Plan): readonly string[] => plan.steps.map(({ phase, id }) => `${phase} ${id}`);
const byId = (plan: Plan, id: string): Step | undefined => plan.steps.find((step) => step.id === id);

function check(name: string, when: CheckSetting['when'], scopes?: CheckSetting['scopes']): CheckSetting {
  const setting = { name, when, timeoutMs: 1_000, kind: 'rollout', workloads: [] } as const;
  return scopes === undefined ? setting : { ...setting, scopes };
}

describe('the steps of a plan', () => {
  test('are, at the least, a lease, a way back, the change, its proof and its record', () => {
    expect(ids(planned())).toEqual([
      'locked lease',
      'safeguarded evidence',
      'safeguarded snapshot-before',
      'applied apply',
      'applied prove-equal',
      'completed record-after',
    ]);
  });

  test('touch the workloads of the stack in its order, where more than one of them changes', () => {
    const order = ['auth', 'documents', 'chat', 'absent'];
    const workloads = ['chat', 'documents', 'other', 'auth'].map((name) => deployment(name));
    const apply = (...names: string[]): Step | undefined => {
      const changes = names.map((name) => change(deployment(name), 'update'));
      const desired = [...workloads, configMap('auth', {})];
      return byId(
        planned({ changes: [...changes, change(configMap('auth', {}), 'update')], desired }, { order }),
        'apply',
      );
    };
    expect(apply('chat', 'other', 'auth')).toMatchObject({
      title: 'Update 4 by one update of the engine, one after another: deployment/auth, deployment/chat',
      action: { kind: 'apply', order: [keyOf(deployment('auth')), keyOf(deployment('chat'))] },
    });
    expect(apply('chat', 'other')?.action).toEqual({ kind: 'apply' });
  });

  test('of two namespaces take turns by name, and by key where one name is in both', () => {
    const there = (name: string) => deployment(name, {}, {}, { namespace: 'a-second' });
    const workloads = [deployment('b'), deployment('a'), there('b')];
    const changes = workloads.map((one) => change(one, 'update'));
    const plan = planned({ changes, desired: workloads }, { order: ['b', 'a'] });
    expect(byId(plan, 'apply')?.action).toEqual({
      kind: 'apply',
      order: [keyOf(there('b')), keyOf(deployment('b')), keyOf(deployment('a'))],
    });
  });

  test('stand in the order of the phases, with the hooks of each phase after its own steps', () => {
    const hooks = PHASES.toReversed().map((phase) => aHook(`at-${phase}`, phase));
    const plan = planned(
      {
        changes: [change(deployment('gateway'), 'update'), change(configMap('old', {}), 'delete')],
        rollingOut: new Set([keyOf(deployment('gateway'))]),
      },
      { hooks, checks: [check('health', ['before', 'after'])], context: { anyOf: ['Slow'], dependencies: [] } },
      { validateBefore: true },
    );
    expect(ids(plan)).toEqual([
      'planned hook:at-planned',
      'locked lease',
      'locked confirm-context',
      'locked hook:at-locked',
      'frozen pause-rollouts',
      'frozen hook:at-frozen',
      'safeguarded evidence',
      'safeguarded snapshot-before',
      'safeguarded checks-before',
      'safeguarded hook:at-safeguarded',
      'quiesced hook:at-quiesced',
      'restored hook:at-restored',
      'applied apply',
      'applied prune',
      'applied prove-equal',
      'applied hook:at-applied',
      'resumed resume-rollouts',
      'resumed hook:at-resumed',
      'validated checks-after',
      'validated hook:at-validated',
      'completed record-after',
      'completed hook:at-completed',
    ]);
    const order = plan.steps.map(({ phase }) => PHASES.indexOf(phase));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  test('are none when nothing changes, and the plan is without risk', () => {
    const plan = planned({ changes: [] }, { hooks: [aHook('pause', 'frozen')] }, { skipValidation: true });
    expect([plan.steps, plan.risk]).toEqual([[], 'none']);
  });

  test('in an emergency leave out the checks before and the context, and never the way back', () => {
    const stack = { checks: [check('health', ['before'])], context: { anyOf: ['Slow'], dependencies: [] } };
    const emergency = ids(planned({}, stack, { emergency: true, validateBefore: true }));
    expect(emergency).not.toContain('locked confirm-context');
    expect(emergency).not.toContain('safeguarded checks-before');
    expect(emergency).toContain('safeguarded evidence');
    expect(emergency).toContain('safeguarded snapshot-before');
    expect(ids(planned({}, stack, { validateBefore: true }))).toEqual(
      expect.arrayContaining(['locked confirm-context', 'safeguarded checks-before']),
    );
  });

  test('keep evidence within the limits of the stack, the shorter one in an emergency, and none for a release', () => {
    const limits = (options: object): unknown =>
      planned({}, {}, options).steps.find(({ id }) => id === 'evidence')?.action;
    const rest = { kind: 'evidence', limitBytes: 20 * 1024 ** 2, logLines: 2_000 };
    expect(limits({})).toEqual({ ...rest, limitMs: 10_000 });
    expect(limits({ emergency: true })).toEqual({ ...rest, limitMs: 3_000 });
    expect(limits({ hold: false })).toBeUndefined();
  });

  test('ask before what says so or everything on request, and after everything that the scope is about', () => {
    const checks = [
      check('both', ['before', 'after']),
      check('late', ['after']),
      check('data', ['capture'], ['database']),
    ];
    const plan = planned({}, { checks });
    expect(byId(plan, 'checks-before')?.action).toMatchObject({ names: ['both'] });
    const asked = planned({}, { checks }, { validateBefore: true });
    expect(byId(asked, 'checks-before')?.action).toMatchObject({ names: ['both', 'late'] });
    const emergency = planned({}, { checks }, { emergency: true });
    expect(byId(emergency, 'checks-before')).toBeUndefined();
    expect(byId(plan, 'checks-after')?.action).toMatchObject({ names: ['both', 'late'] });
    expect(byId(planned({}, { checks }, { skipValidation: true }), 'checks-after')).toBeUndefined();
  });

  test('hold only rollouts that are under way and that the plan changes, and release what the target does not pause', () => {
    const [gateway, parser, other] = [
      deployment('gateway'),
      deployment('parser', {}, { paused: true }),
      deployment('other'),
    ];
    const plan = planned({
      changes: [change(gateway, 'update'), change(parser, 'restart')],
      desired: [gateway, parser],
      rollingOut: new Set([gateway, parser, other].map(keyOf)),
    });
    const workloads = [keyOf(gateway), keyOf(parser)];
    expect(byId(plan, 'pause-rollouts')).toMatchObject({
      action: { workloads },
      reverse: { kind: 'resume-rollouts', workloads },
    });
    expect(byId(plan, 'resume-rollouts')?.action).toMatchObject({ workloads: [keyOf(gateway)] });
  });

  test('prune names exactly what the plan deletes, and a plan that only deletes applies nothing', () => {
    const gone = configMap('old', {});
    const plan = planned({ changes: [change(gone, 'delete')], desired: [] });
    expect(byId(plan, 'prune')).toMatchObject({ destructive: true, action: { kind: 'prune', objects: [keyOf(gone)] } });
    expect(byId(plan, 'apply')).toBeUndefined();
  });

  test('are destructive where something is deleted or replaced, and where data is restored', () => {
    const plan = planned(
      { changes: [change(deployment('gateway'), 'replace')] },
      { hooks: [aHook('restore', 'restored')] },
    );
    expect(plan.steps.filter(({ destructive }) => destructive).map(({ id }) => id)).toEqual(['hook:restore', 'apply']);
    expect(planned().steps.some(({ destructive }) => destructive)).toBe(false);
  });

  test('give a hook with a reverse the way back of its own', () => {
    const hook: HookSetting = { ...aHook('pause', 'frozen'), reverse: { kind: 'restart', workloads: ['x'] } };
    const step = byId(planned({}, { hooks: [hook] }), 'hook:pause');
    expect(step?.reverse).toMatchObject({ kind: 'hook', hook: { name: 'pause (back)', action: { workloads: ['x'] } } });
    expect(step?.reverse).not.toHaveProperty('hook.reverse');
  });

  const scopes: readonly (readonly [PlanInput['scope'], HookSetting['scopes'], boolean])[] = [
    [{ kind: 'application' }, ['application'], true],
    [{ kind: 'traffic' }, ['application'], false],
    [{ kind: 'workloads', names: ['gateway'] }, ['application'], true],
    [{ kind: 'full' }, ['application'], true],
    [{ kind: 'full' }, ['database'], false],
    [{ kind: 'database' }, ['database'], true],
  ];
  test.each(scopes)('in scope %j a hook for %j runs: %s', (scope, wanted, runs) => {
    const plan = planned(
      { scope },
      { hooks: [{ ...aHook('one', 'frozen'), ...(wanted === undefined ? {} : { scopes: wanted }) }] },
    );
    expect(byId(plan, 'hook:one') !== undefined).toBe(runs);
  });

  test('have ids of their own, also where two hooks have one name', () => {
    const all = planned({}, { hooks: [aHook('restart', 'frozen'), aHook('restart', 'resumed')] }).steps.map(
      ({ id }) => id,
    );
    expect(new Set(all).size).toBe(all.length);
  });

  test('each kind of hook says in its title what it does', () => {
    const actions: readonly HookSetting['action'][] = [
      { kind: 'http', method: 'POST', target: { url: '/v1/pause' }, accept: [200] },
      { kind: 'command', command: ['make', 'it', '--token=x'] },
      { kind: 'restart', workloads: ['gateway'] },
      { kind: 'announce', webhook: { env: 'HOOK' }, channel: '#ops', text: 't' },
      {
        kind: 'ticket',
        api: 'https://api',
        repository: 'org/repo',
        token: { env: 'T' },
        title: 't',
        body: 'b',
        labels: [],
      },
    ];
    const titles = actions.map(
      (action) => byId(planned({}, { hooks: [aHook('h', 'frozen', { action })] }), 'hook:h')?.title,
    );
    expect(titles).toEqual([
      'h: POST /v1/pause',
      'h: run make',
      'h: restart gateway',
      'h: announce in #ops',
      'h: open a ticket in org/repo',
    ]);
  });
});

describe('the hash of a plan', () => {
  test('is the same for the same input, whatever the order of the objects', () => {
    const desired = [deployment('gateway'), configMap('a', {})];
    expect(planned({ desired }).hash).toBe(planned({ desired: desired.toReversed() }).hash);
  });

  test('covers everything but itself', () => {
    const plan = planned();
    expect(hashOfPlan(plan)).toBe(plan.hash);
    const { hash: _, ...rest } = plan;
    const fields = Object.keys(rest);
    expect(fields.filter((field) => hashOfPlan({ ...plan, [field]: 'something else' }) === plan.hash)).toEqual([]);
  });
});

describe('risk', () => {
  const rows: readonly (readonly [Change, string])[] = [
    [change(object('PersistentVolumeClaim', 'x'), 'delete'), 'high'],
    [change(deployment('x'), 'replace'), 'high'],
    [change(deployment('x'), 'delete'), 'medium'],
    [change(deployment('x'), 'restart'), 'medium'],
    [change(object('Service', 'x'), 'update'), 'medium'],
    [change(object('Role', 'x'), 'create'), 'medium'],
    [change(secret('x', {}), 'update'), 'medium'],
    [change(configMap('x', {}), 'delete'), 'medium'],
    [change(configMap('x', {}), 'update'), 'low'],
    [change(deployment('x'), 'create'), 'low'],
  ];
  test.each(rows)('of a change follows its kind and action: %j is %s', (one, risk) => {
    expect(riskOfChange(one)).toBe(risk);
  });

  test('of every change is told by exactly one row of the table, with a reason', () => {
    expect(CHANGE_RISKS.at(-1)?.when(change(configMap('x', {}), 'update'))).toBe(true);
    for (const { because } of [...CHANGE_RISKS, ...OPTION_RISKS]) expect(because).not.toBe('');
  });

  test('of a plan is that of its riskiest part, options included', () => {
    const changes = [change(configMap('x', {}), 'update')];
    expect(planned({ changes }).risk).toBe('low');
    expect(planned({ changes }, {}, { skipValidation: true }).risk).toBe('medium');
    expect(planned({ changes }, {}, { allowClusterMismatch: true }).risk).toBe('high');
    expect(planned({ changes }, { hooks: [aHook('restore', 'restored' satisfies Phase)] }).risk).toBe('high');
    expect(
      planned(
        { changes },
        { hooks: [aHook('tell', 'completed', { action: { kind: 'announce', webhook: { env: 'X' }, text: '' } })] },
      ).risk,
    ).toBe('low');
  });
});
