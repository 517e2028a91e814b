import type { Container, Pod, ResourceFieldRef } from '../pods/pod-types.ts';
import { quantityIn } from './quantity.ts';

/** What the node knows of a pod beside the object: the addresses that it gave it. */
export interface PodFacts {
  readonly pod: Pod;
  readonly podIP: string;
  readonly hostIP: string;
  /** What a limit falls back to when the container sets none. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** Value of a downward API field; undefined when the path is not one that a container may ask for. */
export function fieldValue(path: string, facts: PodFacts): string | undefined {
  const { metadata, spec } = facts.pod;
  const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (subscript !== null) {
    const map = subscript[1] === 'labels' ? metadata.labels : metadata.annotations;
    return map?.[subscript[2] ?? ''] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace ?? 'default';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return propertyLines(metadata.labels);
    case 'metadata.annotations':
      return propertyLines(metadata.annotations);
    case 'spec.nodeName':
      return spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? 'default';
    case 'status.hostIP':
    case 'status.hostIPs':
      return facts.hostIP;
    case 'status.podIP':
    case 'status.podIPs':
      return facts.podIP;
    default:
      return undefined;
  }
}

/** Value of a resourceFieldRef; undefined when the resource is not a number that a container has. */
export function resourceValue(ref: ResourceFieldRef, container: Container, facts: PodFacts): string | undefined {
  const { initContainers = [], containers } = facts.pod.spec;
  const subject =
    ref.containerName === undefined
      ? container
      : [...containers, ...initContainers].find((candidate) => candidate.name === ref.containerName);
  const [section, ...rest] = ref.resource.split('.');
  const name = rest.join('.');
  if (subject === undefined || (section !== 'limits' && section !== 'requests')) return undefined;
  const own = subject.resources?.[section]?.[name];
  const fallback = section === 'limits' ? facts.allocatable[name] : '0';
  return quantityIn(own ?? fallback ?? '0', ref.divisor);
}

function propertyLines(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}
