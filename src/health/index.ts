import { groupOf, type KubeObject } from '../model/index.ts';
import { podHealth } from './pod.ts';
import {
  conditionOf,
  conditionsOf,
  failed,
  type Health,
  isObserved,
  part,
  progressing,
  ready,
  type Related,
  saidBy,
  unknown,
} from './verdict.ts';
import { daemonSetHealth, deploymentHealth, rolloutHealth, statefulSetHealth } from './workloads.ts';

export type { Health, Related } from './verdict.ts';
export { type HangingPod, hangingPods, helpFor } from './hanging.ts';
export { podHealth } from './pod.ts';
export { podsOf } from './workloads.ts';

type Judge = (object: KubeObject, related: Related) => Health;

/** Judges by `group/Kind`; what is not listed goes by its conditions. */
const JUDGES: Readonly<Record<string, Judge>> = {
  'apps/Deployment': deploymentHealth,
  'apps/StatefulSet': statefulSetHealth,
  'apps/DaemonSet': daemonSetHealth,
  'argoproj.io/Rollout': rolloutHealth,
  '/Pod': podHealth,
  'batch/Job': jobHealth,
  '/PersistentVolumeClaim': claimHealth,
  '/Service': serviceHealth,
  'networking.k8s.io/Ingress': () => ready('exists'),
  'apiextensions.k8s.io/CustomResourceDefinition': definitionHealth,
  '/Namespace': namespaceHealth,
};

/** Kinds whose state depends on the pods behind them: with `related`, the reason names the pod to look at. */
export function healthOf(object: KubeObject, related: Related = {}): Health {
  if (object.metadata.deletionTimestamp !== undefined) return progressing('is being deleted');
  const judge = JUDGES[`${groupOf(object.apiVersion)}/${object.kind}`];
  return (judge ?? conditionHealth)(object, related);
}

function jobHealth(object: KubeObject): Health {
  const spec = part<{ suspend: boolean; completions: number }>(object, 'spec');
  const { active = 0, succeeded = 0 } = part<{ active: number; succeeded: number }>(object, 'status');
  const failure = conditionOf(object, 'Failed');
  if (failure?.status === 'True') return failed(saidBy(failure, 'the job failed'));
  if (conditionOf(object, 'Complete')?.status === 'True') return ready('completed');
  if (spec.suspend === true) return ready('suspended');
  return progressing(`${succeeded} of ${spec.completions ?? 1} completed, ${active} active`);
}

function claimHealth(object: KubeObject): Health {
  const { phase } = part<{ phase: string }>(object, 'status');
  if (phase === 'Bound') return ready('bound');
  if (phase === 'Lost') return failed('its volume is lost');
  return progressing('not bound yet: with a class that waits for its first consumer it binds when a pod uses it');
}

function serviceHealth(object: KubeObject): Health {
  const spec = part<{ type: string; externalIPs: readonly string[] }>(object, 'spec');
  if (spec.type !== 'LoadBalancer' || (spec.externalIPs ?? []).length > 0) return ready('exists');
  const { loadBalancer } = part<{ loadBalancer: { ingress?: readonly { ip?: string; hostname?: string }[] } }>(
    object,
    'status',
  );
  const [address] = loadBalancer?.ingress ?? [];
  return address === undefined
    ? progressing('waits for an address of the load balancer')
    : ready(`reached at ${address.ip ?? address.hostname ?? 'an address'}`);
}

function definitionHealth(object: KubeObject): Health {
  const names = conditionOf(object, 'NamesAccepted');
  if (names?.status === 'False') return failed(saidBy(names, 'its names are taken'));
  const established = conditionOf(object, 'Established');
  return established?.status === 'True' ? ready('served') : progressing(saidBy(established, 'not served yet'));
}

function namespaceHealth(object: KubeObject): Health {
  const { phase } = part<{ phase: string }>(object, 'status');
  return phase === 'Terminating' ? progressing('is being deleted') : ready('exists');
}

/** Any other kind: by the conditions that say what most controllers mean by them, else it is ready by being there. */
function conditionHealth(object: KubeObject): Health {
  const observed: unknown = part<{ observedGeneration: unknown }>(object, 'status').observedGeneration;
  if (observed !== undefined && !isObserved(object)) return progressing('its controller has not seen the change yet');
  const stalled = conditionsOf(object).find(
    ({ type, status }) => (type === 'Stalled' || type === 'Failed') && status === 'True',
  );
  if (stalled !== undefined) return failed(saidBy(stalled, stalled.type));
  const telling = conditionOf(object, 'Ready') ?? conditionOf(object, 'Available') ?? conditionOf(object, 'Programmed');
  if (telling === undefined) return ready('exists');
  if (telling.status === 'True') return ready(telling.reason || telling.type);
  if (telling.status === 'Unknown') return unknown(saidBy(telling, `${telling.type} is unknown`));
  return progressing(saidBy(telling, `not ${telling.type.toLowerCase()} yet`));
}
