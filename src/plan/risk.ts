import { type Change, partsOf, type PlanOptions, type Risk, type Step } from '../model/index.ts';

const ORDER: readonly Risk[] = ['none', 'low', 'medium', 'high'];

interface ChangeRule {
  readonly when: (change: Change) => boolean;
  readonly risk: Risk;
  readonly because: string;
}

const kindIs =
  (...kinds: readonly string[]) =>
  ({ key }: Change): boolean =>
    kinds.includes(partsOf(key).kind);
const actionIs =
  (...actions: readonly Change['action'][]) =>
  ({ action }: Change): boolean =>
    actions.includes(action);
const both =
  (...conditions: readonly ((change: Change) => boolean)[]) =>
  (change: Change): boolean =>
    conditions.every((condition) => condition(change));

const HOLDS_MUCH = kindIs('PersistentVolumeClaim', 'PersistentVolume', 'Namespace', 'CustomResourceDefinition');
const MAKES_PODS = kindIs('Deployment', 'StatefulSet', 'DaemonSet', 'Rollout', 'ReplicaSet', 'ReplicationController');
const ROUTES = kindIs('Service', 'Ingress', 'HTTPRoute', 'GRPCRoute', 'TCPRoute', 'Gateway', 'NetworkPolicy');
const GRANTS = kindIs('Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding', 'ServiceAccount');

/** Risk of a change; the first row that fits counts. */
export const CHANGE_RISKS: readonly ChangeRule[] = [
  { when: both(actionIs('delete', 'replace'), HOLDS_MUCH), risk: 'high', because: 'what it holds goes with it' },
  { when: actionIs('replace'), risk: 'high', because: 'it is gone for a while' },
  { when: both(actionIs('delete'), MAKES_PODS), risk: 'medium', because: 'its pods stop' },
  { when: both(actionIs('delete'), ROUTES), risk: 'medium', because: 'its traffic stops' },
  { when: actionIs('delete'), risk: 'medium', because: 'it is gone until it is brought back' },
  { when: both(actionIs('update', 'restart'), MAKES_PODS), risk: 'medium', because: 'its pods are replaced' },
  { when: both(actionIs('update'), ROUTES), risk: 'medium', because: 'traffic moves' },
  { when: both(actionIs('update', 'create'), GRANTS), risk: 'medium', because: 'permissions change' },
  { when: kindIs('Secret'), risk: 'medium', because: 'credentials change' },
  { when: () => true, risk: 'low', because: 'it is put back by one write' },
];

/** Options that make any plan riskier than its changes. */
export const OPTION_RISKS: readonly {
  readonly when: (options: PlanOptions) => boolean;
  readonly risk: Risk;
  readonly because: string;
}[] = [
  { when: (o) => o.allowClusterMismatch, risk: 'high', because: 'the snapshot belongs to another cluster' },
  { when: (o) => o.deleteProtected, risk: 'high', because: 'volumes, namespaces and data stores may be deleted' },
  { when: (o) => o.skipValidation, risk: 'medium', because: 'nothing is asked afterwards' },
  { when: (o) => o.allowUnsigned, risk: 'medium', because: 'nobody vouches for the snapshot' },
  { when: (o) => o.force?.pods === true, risk: 'high', because: 'pods that hang are deleted without grace' },
  { when: (o) => o.force?.finalizers === true, risk: 'high', because: 'what finalizers would clean up stays behind' },
  {
    when: (o) => o.data?.skipBackup === true,
    risk: 'high',
    because: 'a database is migrated without a backup of this run',
  },
  { when: (o) => o.takeFrom.length > 0, risk: 'medium', because: 'a controller may set its fields back' },
];

export function highest(risks: readonly Risk[]): Risk {
  return risks.reduce((top, risk) => (ORDER.indexOf(risk) > ORDER.indexOf(top) ? risk : top), 'none');
}

export function riskOfChange(change: Change): Risk {
  return CHANGE_RISKS.find(({ when }) => when(change))?.risk ?? 'low';
}

export function riskOfChanges(changes: readonly Change[]): Risk {
  return highest(changes.map(riskOfChange));
}

/** The plan's risk: the highest of its steps and options, and none when nothing changes. */
export function riskOfPlan(
  changes: readonly Change[],
  steps: readonly Pick<Step, 'risk'>[],
  options: PlanOptions,
): Risk {
  if (changes.length === 0 && steps.every(({ risk }) => risk !== 'high')) return 'none';
  const fromOptions = OPTION_RISKS.filter(({ when }) => when(options)).map(({ risk }) => risk);
  return highest([...steps.map(({ risk }) => risk), ...fromOptions]);
}
