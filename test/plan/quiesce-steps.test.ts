import { describe, expect, test } from 'vitest';
import { quiesceFor } from '../../src/actions/plan-quiesce.ts';
import {
  type DataStoreSetting,
  digestOf,
  type KubeObject,
  keyOf,
  type ObjectPattern,
  type Plan,
  type Stack,
  suspend,
  turnOn,
} from '../../src/model/index.ts';
import { maintenanceOf, makePlan, type PlanInput, writersOf } from '../../src/plan/index.ts';
import { keyed, STACK } from './live.ts';
import { configMap, deployment, envFrom, object, OPTIONS } from './manifests.ts';

const API = deployment('api', envFrom('web'));
const WORKER = deployment('worker-fast');
const CRON = object('CronJob', 'nightly', { spec: { schedule: '0 3 * * *', suspend: false } }, 'batch/v1');
const POSTGRES = object('StatefulSet', 'postgres', { spec: { replicas: 1, template: {} } }, 'apps/v1');
const WEB = configMap('web', { CLOSED: 'false' });
const SCALER: KubeObject = object(
  'HorizontalPodAutoscaler',
  'scaler',
  { spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'worker-fast' } } },
  'autoscaling/v2',
);
const LIVE = [API, WORKER, CRON, POSTGRES, WEB, SCALER];

function store(name: string, writers: readonly ObjectPattern[], rest: object = {}): DataStoreSetting {
  return { name, kind: 'postgres', tables: [], writers, connection: { database: name }, ...rest };
}

const MAIN = store('main', [
  { kind: 'Deployment', name: 'worker*' },
  { kind: 'CronJob', name: 'nightly' },
]);
const AUDIT = store('audit', []);
const stackOf = (part: Partial<Stack> = {}): Stack => ({ ...STACK, stores: [MAIN, AUDIT], ...part });
const namesOf = (refs: readonly { readonly kind: string; readonly name: string }[]): readonly string[] =>
  refs.map(({ kind, name }) => `${kind}/${name}`);

const held = (one: KubeObject, run: string): KubeObject => {
  const answer = suspend(one, run);
  return answer.kind === 'write' ? answer.object : one;
};

describe('writersOf', () => {
  const BOTH = ['Deployment/worker-fast', 'CronJob/nightly'];
  test.each<[string, Partial<Parameters<typeof writersOf>[0]>, readonly string[], readonly string[]]>([
    ['nothing, where no data is moved', { concerned: [] }, [], []],
    ['the writers of a store that is', { concerned: ['main'] }, BOTH, ['main']],
    ['nothing for a store that names none', { concerned: ['audit'] }, [], []],
    [
      'its sessions, where all stores are meant as of one moment',
      { concerned: ['audit'], isStrict: true },
      [],
      ['audit'],
    ],
    [
      'what a dead run left at zero, whatever it is about',
      { concerned: [], live: [held(API, 'r0')] },
      ['Deployment/api'],
      [],
    ],
  ])('gives %s', (_what, part, workloads, stores) => {
    const answer = writersOf({ stack: stackOf(), concerned: ['main'], live: LIVE, ...part });
    expect(namesOf(answer.workloads)).toEqual(workloads);
    expect(answer.stores).toEqual(stores);
  });

  test('never stops the data store itself, and says what is named and not there', () => {
    const stores = [store('main', [{ name: '*' }, { kind: 'Deployment', name: 'gone' }])];
    const answer = writersOf({ stack: stackOf({ stores }), concerned: ['main'], live: LIVE });
    expect(namesOf(answer.workloads)).toEqual(['Deployment/api', 'Deployment/worker-fast', 'CronJob/nightly']);
    expect(answer.warnings).toEqual([
      'Deployment/gone is named as a writer of main, and nothing of that name is there',
    ]);
  });

  test('lets what migrates from within go on, and asks for no silence of that store', () => {
    const runs = { kind: 'pod', workload: 'Deployment/api' } as const;
    const migrations = { tool: 'alembic', runs, urlVariable: 'DATABASE_URL', irreversible: [] };
    const stores = [store('main', [{ kind: 'Deployment' }], { migrations })];
    const question = { stack: stackOf({ stores }), concerned: ['main'], live: LIVE };
    const migrated = writersOf({ ...question, migrated: ['main'] });
    expect(namesOf(migrated.workloads)).toEqual(['Deployment/worker-fast']);
    expect(migrated.stores).toEqual([]);
    expect(migrated.warnings).toEqual(['deployment/api goes on running while data is migrated from within it']);
    expect(writersOf(question)).toMatchObject({ stores: ['main'], warnings: [] });
  });
});

describe('maintenanceOf', () => {
  const flags: Stack['flags'] = [{ name: 'CLOSED', source: { configMap: 'web', key: 'CLOSED' } }];
  const maintenance = { flag: 'CLOSED', on: 'true', off: 'false' };
  const ask = (part: Partial<Parameters<typeof maintenanceOf>[0]> = {}, stack: Partial<Stack> = {}) =>
    maintenanceOf({
      stack: stackOf({ flags, maintenance, ...stack }),
      isNeeded: true,
      live: LIVE,
      desired: [],
      ...part,
    });

  test('finds the flag and who reads it', () => {
    const { maintenance: found, warnings } = ask();
    expect(found).toMatchObject({ object: { kind: 'ConfigMap', name: 'web' }, place: { kind: 'key', key: 'CLOSED' } });
    expect(namesOf(found?.workloads ?? [])).toEqual(['Deployment/api']);
    expect(warnings).toEqual([]);
  });

  test('finds a variable of a workload, which restarts by itself', () => {
    const source = { workload: 'api', env: 'CLOSED' };
    const { maintenance: found } = ask({}, { flags: [{ name: 'CLOSED', source }] });
    expect(found).toMatchObject({
      object: { kind: 'Deployment' },
      place: { kind: 'env', container: 'api' },
      workloads: [],
    });
  });

  test('is not there where it is not declared, not needed, or has no place', () => {
    expect(ask({ isNeeded: false })).toEqual({ warnings: [] });
    const { maintenance: _, ...bare } = stackOf({ flags });
    expect(maintenanceOf({ stack: bare, isNeeded: true, live: LIVE, desired: [] })).toEqual({ warnings: [] });
    expect(ask({ live: [API] }).problem).toContain('has no place in the live stack');
  });

  test('says whose it is where it is on already, and what the target makes of it', () => {
    const on = configMap('web', { CLOSED: 'true' });
    expect(ask({ live: [on] }).warnings).toEqual([
      'maintenance mode is on already (configmap/web), by somebody else: it stays on',
    ]);
    expect(ask({ desired: [on] }).warnings).toEqual([
      'the target itself has maintenance mode on (configmap/web): it will be on afterwards',
    ]);
    const answer = turnOn(WEB, { kind: 'key', key: 'CLOSED' }, 'true', 'r0');
    const left = answer.kind === 'write' ? answer.object : WEB;
    const found = ask({ live: [left], isNeeded: false });
    expect(found.maintenance).toBeDefined();
    expect(found.warnings).toEqual(['maintenance mode is on since run r0, which did not turn it off']);
  });
});

describe('the steps', () => {
  const flags: Stack['flags'] = [{ name: 'CLOSED', source: { configMap: 'web', key: 'CLOSED' } }];
  const stack = stackOf({ flags, maintenance: { flag: 'CLOSED', on: 'true', off: 'false' } });
  const restore = (name: string) => ({
    store: name,
    backup: 'b1',
    digest: digestOf(name),
    takenAt: '2026-01-01T00:00:00.000Z',
    atBackup: {},
    now: {},
  });

  function planned(part: Partial<PlanInput>, live: readonly KubeObject[] = LIVE, concerned = ['main']): Plan {
    const quiesced = quiesceFor({ concerned, live: keyed(live), options: OPTIONS }, stack);
    return makePlan({
      stack,
      clusterUid: 'c1',
      createdAt: '2026-01-01T00:00:00.000Z',
      scope: { kind: 'database' },
      target: { id: digestOf('target'), said: 'b1', labels: [] },
      live: digestOf('live'),
      foreign: [],
      changes: [],
      desired: [],
      warnings: quiesced.warnings,
      rollingOut: new Set(),
      options: { ...OPTIONS, hold: false },
      ...quiesced.parts,
      autoscalers: quiesced.autoscalers,
      ...part,
    });
  }
  const ids = ({ steps }: Plan): readonly string[] => steps.map(({ phase, id }) => `${phase} ${id}`);

  test('close, stop, exchange, bring back, open: each with its reverse', () => {
    const plan = planned({ restores: [restore('main'), restore('audit')] });
    expect(ids(plan)).toEqual([
      'locked lease',
      'frozen suspend-autoscalers',
      'safeguarded snapshot-before',
      'safeguarded db-restore:main',
      'safeguarded db-restore:audit',
      'quiesced maintenance-on',
      'quiesced quiesce-writers',
      'restored db-swap:main',
      'restored db-swap:audit',
      'resumed resume-writers',
      'resumed resume-autoscalers',
      'resumed maintenance-off',
      'completed record-after',
    ]);
    const of = (id: string) => plan.steps.find((step) => step.id === id);
    expect(of('quiesce-writers')?.reverse).toMatchObject({ kind: 'resume-writers' });
    expect(of('resume-writers')?.reverse).toMatchObject({ kind: 'quiesce-writers', stores: ['main'] });
    expect(of('maintenance-on')?.reverse).toMatchObject({ kind: 'maintenance-off' });
    expect(of('maintenance-off')?.reverse).toMatchObject({ kind: 'maintenance-on' });
    expect(of('quiesce-writers')?.title).toBe(
      'Stop deployment/worker-fast, cronjob/nightly, and wait until their pods are gone and nobody is connected to main',
    );
  });

  test('back up together between stopping and bringing back, and prove when all is back', () => {
    expect(ids(planned({ backups: ['main', 'audit'] }))).toEqual([
      'locked lease',
      'frozen suspend-autoscalers',
      'safeguarded snapshot-before',
      'quiesced maintenance-on',
      'quiesced quiesce-writers',
      'quiesced db-backup:main',
      'quiesced db-backup:audit',
      'resumed resume-writers',
      'resumed resume-autoscalers',
      'resumed maintenance-off',
      'completed db-prove:main',
      'completed db-prove:audit',
      'completed record-after',
    ]);
  });

  test('give back what a dead run has left, though nothing else differs', () => {
    const plan = planned({}, [held(WORKER, 'r0'), WEB], []);
    expect(ids(plan)).toEqual([
      'locked lease',
      'safeguarded snapshot-before',
      'quiesced quiesce-writers',
      'resumed resume-writers',
      'completed record-after',
    ]);
  });

  test('are none where nobody is to be stopped', () => {
    expect(planned({ restores: [] }, [WEB], []).steps).toEqual([]);
    expect(quiesceFor({ concerned: [], live: keyed(LIVE), options: OPTIONS }, stack)).toMatchObject({
      isNothing: true,
    });
  });

  test('refuse a maintenance mode that cannot be turned on, but in an emergency', () => {
    const live = keyed([WORKER]);
    expect(() => quiesceFor({ concerned: ['main'], live, options: OPTIONS }, stack)).toThrow(/cannot be turned on/);
    const urgent = quiesceFor({ concerned: ['main'], live, options: { emergency: true } }, stack);
    expect(urgent.parts.maintenance).toBeUndefined();
    expect(urgent.warnings.join()).toContain('maintenance mode is not turned on');
    expect(urgent.parts.quiesce?.workloads.map(keyOf)).toEqual([keyOf(WORKER)]);
  });
});
