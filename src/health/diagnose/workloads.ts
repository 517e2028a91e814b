import { displayName, type KubeObject, keyOf, PAUSED_BY } from '../../model/index.ts';
import { healthOf } from '../index.ts';
import { part } from '../verdict.ts';
import type { Finding, Observations, Said } from './types.ts';

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Rollout']);

export function isWorkload(object: KubeObject): boolean {
  return WORKLOADS.has(object.kind);
}

export const nameOf = (object: KubeObject): string =>
  `${displayName(keyOf(object))}${object.metadata.namespace === undefined ? '' : ` in ${object.metadata.namespace}`}`;

export const kubectl = (object: KubeObject, command: string): string =>
  `kubectl${object.metadata.namespace === undefined ? '' : ` -n ${object.metadata.namespace}`} ${command}`;

/** Desired, updated and available, and why a rollout does not get on. */
export function aboutWorkloads({ objects, pods, replicaSets, stack }: Observations): Said {
  const workloads = objects.filter(isWorkload);
  const findings = workloads.flatMap((object): readonly Omit<Finding, 'section'>[] => {
    const { state, reason } = healthOf(object, { pods: pods.get(keyOf(object)) ?? [], replicaSets });
    if (state === 'ready') return [];
    const grade = state === 'failed' ? 'bad' : state === 'progressing' ? 'warn' : 'unknown';
    const stuck = state === 'failed' || isPodStuck(reason);
    return [
      {
        grade: stuck ? 'bad' : grade,
        subject: nameOf(object),
        message: reason,
        next: stuck
          ? `backstay rollback ${stack} --to known-good --dry-run`
          : kubectl(object, `rollout status ${displayName(keyOf(object))}`),
      },
    ];
  });
  return { summary: `${count(workloads.length, 'workload')}, each as it should be`, findings };
}

/** The pod that explains the wait will not get ready by waiting. */
function isPodStuck(reason: string): boolean {
  return /BackOff|ErrImage|InvalidImageName|CreateContainer(Config)?Error|RunContainerError/.test(reason);
}

/** Which revision is live, what there is to go back to, and who holds a rollout. */
export function aboutRevisions({ objects, replicaSets, stack }: Observations): Said {
  const deployments = objects.filter(({ kind }) => kind === 'Deployment');
  const findings = deployments.flatMap((object) => {
    if (part<{ paused: boolean }>(object, 'spec').paused !== true) return [];
    const run = object.metadata.annotations?.[PAUSED_BY];
    const subject = nameOf(object);
    return [
      run === undefined
        ? {
            grade: 'warn' as const,
            subject,
            message: 'its rollout is paused: changes wait',
            next: kubectl(object, `rollout resume ${displayName(keyOf(object))}`),
          }
        : {
            grade: 'warn' as const,
            subject,
            message: `its rollout is held by run ${run}`,
            next: `backstay resume ${run}`,
          },
    ];
  });
  const said = deployments.map((object) => {
    const own = replicaSets.filter((set) =>
      set.metadata.ownerReferences?.some(({ uid }) => uid === object.metadata.uid),
    );
    const revision = object.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? '?';
    return `${object.metadata.name}@${revision} of ${own.length}`;
  });
  const summary =
    said.length === 0 ? 'no Deployments' : `${said.join(', ')} (backstay list ${stack} has the snapshots)`;
  return { summary, findings };
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
