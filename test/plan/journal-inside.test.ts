import { describe, expect, test } from 'vitest';
import { type Change, type KubeObject, keyOf, type Plan, refOf } from '../../src/model/index.ts';
import { type JournalAddress, journalInside } from '../../src/plan/index.ts';
import { aPlan, aStack, aStep } from '../rollback/builders.ts';

const object = (kind: string, name: string, part: object, labels = {}): KubeObject => ({
  apiVersion: kind === 'StatefulSet' ? 'apps/v1' : 'v1',
  kind,
  metadata: { name, namespace: 'production', labels },
  ...part,
});

const POSTGRES = object('StatefulSet', 'postgres', { spec: { template: { metadata: { labels: { app: 'pg' } } } } });
const SERVICE = object('Service', 'db', {
  spec: { selector: { app: 'pg' }, clusterIP: '10.96.0.7', externalIPs: ['192.0.2.7'] },
  status: { loadBalancer: { ingress: [{ hostname: 'pg.example.org' }] } },
});
const POD = object(
  'Pod',
  'postgres-0',
  { status: { podIP: '10.244.1.5', podIPs: [{ ip: 'fd00::5' }] } },
  { app: 'pg' },
);
const OTHER = object('Service', 'web', { spec: { selector: { app: 'web' }, clusterIP: '10.96.0.8' } });

const stack = aStack({ roles: { workers: [], data: [{ kind: 'StatefulSet' }] } });
const change = (changed: KubeObject, action: Change['action']): Change => ({
  key: keyOf(changed),
  ref: refOf(changed),
  action,
  fields: [],
  takesOver: [],
  live: changed,
});
const DATABASE = aPlan({ scope: { kind: 'database' }, desired: [POSTGRES] });

function inside(
  host: string,
  plan: Plan,
  part: Partial<JournalAddress> = {},
  stores = stack.stores,
): string | undefined {
  return journalInside(
    { host, port: 5432, database: 'journal', ...part },
    { plan, stack: { ...stack, stores }, services: [SERVICE, OTHER], pods: [POD] },
  );
}

describe('a journal inside what a plan takes back', () => {
  test.each([
    'db',
    'DB.production',
    'db.production.svc',
    'db.production.svc.cluster.local',
    'db.production.svc.corp.example.',
    'postgres-0.db.production.svc.cluster.local',
    '10.96.0.7',
    '192.0.2.7',
    'pg.example.org',
    '10.244.1.5',
    'fd00::5',
    '10-244-1-5.production.pod.cluster.local',
  ])('is seen by %s', (host) => {
    expect(inside(host, DATABASE)).toContain('statefulset/postgres');
  });

  test.each([
    'db.other',
    'db.other.svc',
    'web',
    '10.96.0.8',
    'db.example.com',
    '10.244.1.6',
    'localhost',
    'production',
  ])('is not taken for one at %s', (host) => {
    expect(inside(host, DATABASE)).toBeUndefined();
  });

  test.each<[string, Plan, RegExp | undefined]>([
    ['the workload is changed', aPlan({ changes: [change(POSTGRES, 'restart')] }), /statefulset\/postgres, .* restart/],
    ['the workload is deleted', aPlan({ changes: [change(POSTGRES, 'delete')] }), /statefulset\/postgres, .* delete/],
    ['its Service is changed', aPlan({ changes: [change(SERVICE, 'replace')] }), /service\/db, .* replace/],
    ['something else is changed', aPlan({ changes: [change(OTHER, 'update')], desired: [OTHER] }), undefined],
    ['it is in scope and stays as it is', aPlan({ desired: [POSTGRES] }), undefined],
  ])('when %s', (_what, plan, expected) => {
    const said = inside('db', plan);
    if (expected === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(expected);
  });

  describe('of a data store', () => {
    const store = (host: string | undefined, database: string) => [
      {
        name: 'users',
        connection: { ...(host === undefined ? {} : { host }), database },
      } as (typeof stack.stores)[number],
    ];
    const swap = aPlan({ steps: [aStep('swap', 'restored', { action: { kind: 'db-swap', store: 'users' } })] });

    test('that is exchanged is refused, whatever loopback is called', () => {
      expect(inside('127.0.0.1', swap, {}, store(undefined, 'journal'))).toContain('store users');
      expect(inside('db.example', swap, {}, store('DB.example.', 'journal'))).toContain('store users');
    });

    test('beside it on the same server, or of a store that stays, is fine', () => {
      expect(inside('127.0.0.1', swap, {}, store('localhost', 'app'))).toBeUndefined();
      expect(inside('127.0.0.1', swap, { port: 6432 }, store('localhost', 'journal'))).toBeUndefined();
      expect(inside('127.0.0.1', aPlan(), {}, store('localhost', 'journal'))).toBeUndefined();
    });
  });
});
