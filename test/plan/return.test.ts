import { describe, expect, test } from 'vitest';
import { type Change, type HookSetting, keyOf, type KubeObject, refOf, type Step } from '../../src/model/index.ts';
import { keepsFromReturning } from '../../src/plan/return.ts';
import { aHook, aStack, aStep } from '../rollback/builders.ts';

const stack = aStack({ roles: { workers: [], data: [{ kind: 'StatefulSet', name: 'db' }] } });
const object = (kind: string, name: string, apiVersion = 'v1'): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'production' },
});
const change = (live: KubeObject, action: Change['action']): Change => ({
  key: keyOf(live),
  ref: refOf(live),
  action,
  live,
  fields: [],
  takesOver: [],
});
const hook = (phase: HookSetting['phase'], kind: 'http' | 'command' | 'restart', part: Partial<Step> = {}): Step => {
  const actions = {
    http: { kind, method: 'POST', target: { url: 'http://x/' }, accept: [200] },
    command: { kind, command: ['true'] },
    restart: { kind, workloads: ['a'] },
  } as Readonly<Record<string, unknown>>;
  const action = actions[kind] as HookSetting['action'];
  return aStep(kind, phase, { action: { kind: 'hook', hook: aHook(kind, phase, { action }) }, ...part });
};
const reverse = { kind: 'hook', hook: aHook('back', 'applied') } as const;

describe('what keeps a run from returning to before', () => {
  test.each<[string, readonly Change[], readonly Step[]]>([
    ['objects that are changed, made or deleted', [change(object('ConfigMap', 'a'), 'delete')], []],
    ['a volume that is only changed', [change(object('PersistentVolumeClaim', 'a'), 'update')], []],
    ['hooks of other phases', [], [hook('frozen', 'http'), hook('resumed', 'http'), hook('quiesced', 'command')]],
    ['a restart', [], [hook('applied', 'restart')]],
    ['acts that are taken back', [], [hook('restored', 'http', { reverse }), hook('applied', 'command', { reverse })]],
  ])('is not: %s', (_what, changes, steps) => {
    expect(keepsFromReturning({ stack, changes, steps })).toEqual([]);
  });

  test.each<[string, readonly Change[], readonly Step[], string]>([
    ['a data step without a reverse', [], [hook('restored', 'command')], 'do command'],
    ['a request that nobody takes back', [], [hook('applied', 'http')], 'do http'],
    ['a volume that is deleted', [change(object('PersistentVolumeClaim', 'a'), 'delete')], [], 'is deleted'],
    ['a data store that is made anew', [change(object('StatefulSet', 'db', 'apps/v1'), 'replace')], [], 'is replaced'],
    [
      'a database that is exchanged',
      [],
      [aStep('swap', 'restored', { action: { kind: 'db-swap' } as Step['action'], reverse })],
      'a person weighs',
    ],
  ])('is: %s', (_what, changes, steps, because) => {
    expect(keepsFromReturning({ stack, changes, steps }).join()).toContain(because);
  });
});
