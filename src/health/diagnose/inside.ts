import { type KubeObject, keyOf, displayName } from '../../model/index.ts';
import { part } from '../verdict.ts';
import type { Finding, Observations, Reached, Said, Seen } from './types.ts';
import { count, kubectl, nameOf } from './workloads.ts';

/** Names that do not resolve for a pod of the stack. */
export function aboutNames({ names, stack }: Observations): Said | string {
  return aboutReached(names, `resolve`, 'name', `backstay evidence collect ${stack}`);
}

/** Data stores that do not answer a pod of the stack. */
export function aboutDatabases({ databases, stack }: Observations): Said | string {
  return aboutReached(databases, `reached`, 'data store', `backstay evidence collect ${stack}`);
}

function aboutReached(seen: Seen<readonly Reached[]>, verb: string, noun: string, next: string): Said | string {
  if ('why' in seen) return seen.why;
  const all = seen.value;
  if (all.length === 0) return { summary: `no ${noun} is declared or named by the stack`, findings: [] };
  const findings = all.flatMap(({ name, reached, said }) => {
    if (reached === true) return [];
    const grade = reached === 'unknown' ? ('unknown' as const) : ('bad' as const);
    return [{ grade, subject: name, message: said, next }];
  });
  return { summary: `${count(all.length, noun)} ${verb} from inside`, findings };
}

/** Claims without a volume. One that nobody uses yet may wait on purpose. */
export function aboutStorage({ objects, pods, events }: Observations): Said {
  const claims = objects.filter(({ kind }) => kind === 'PersistentVolumeClaim');
  const findings = claims.flatMap((claim): readonly Omit<Finding, 'section'>[] => {
    const { phase } = part<{ phase: string }>(claim, 'status');
    if (phase === 'Bound') return [];
    const subject = nameOf(claim);
    const next = kubectl(claim, `describe pvc ${claim.metadata.name}`);
    if (phase === 'Lost') return [{ grade: 'bad', subject, message: 'its volume is lost', next }];
    const why = lastEventOf(claim, events);
    const isUsed = [...pods.values()].flat().some((pod) => uses(pod, claim));
    const said = why === undefined ? 'has no volume yet' : `has no volume yet: ${why}`;
    if (isUsed) return [{ grade: 'bad', subject, message: `${said}, and a pod waits for it`, next }];
    return [{ grade: 'warn', subject, message: `${said}; no pod uses it`, next }];
  });
  const summary = claims.length === 0 ? 'no volume claims' : `${count(claims.length, 'claim')}, bound`;
  return { summary, findings };
}

function uses(pod: KubeObject, claim: KubeObject): boolean {
  const { volumes = [] } = part<{
    volumes: readonly { readonly persistentVolumeClaim?: { readonly claimName?: string } }[];
  }>(pod, 'spec');
  if (pod.metadata.namespace !== claim.metadata.namespace) return false;
  return volumes.some((volume) => volume.persistentVolumeClaim?.claimName === claim.metadata.name);
}

function lastEventOf(object: KubeObject, events: Observations['events']): string | undefined {
  if ('why' in events) return undefined;
  const last = events.value.findLast(
    (event) =>
      event.object === displayName(keyOf(object)) &&
      event.namespace === object.metadata.namespace &&
      event.type === 'Warning',
  );
  return last === undefined ? undefined : `${last.reason}: ${last.message.split('\n', 1)[0]}`;
}
