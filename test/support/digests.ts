import { digestOf, type KubeObject } from '../../src/model/index.ts';
import type { Cluster } from '../../src/ports/index.ts';

export const API_VERSIONS: Readonly<Record<string, string>> = {
  Deployment: 'apps/v1',
  StatefulSet: 'apps/v1',
  Ingress: 'networking.k8s.io/v1',
};
const COUNTED = ['ConfigMap', 'Secret', 'Service', 'Deployment', 'StatefulSet', 'Ingress'] as const;

/** What each object of a namespace is and who wrote it, by `Kind/name`: a write of anybody shows, but for that of a status. */
export async function digestsOf(cluster: Cluster, namespace: string): Promise<Readonly<Record<string, string>>> {
  const found: [string, string][] = [];
  for (const kind of COUNTED) {
    const served = await cluster.kindOf(API_VERSIONS[kind] ?? 'v1', kind);
    if (served === undefined) throw new TypeError(`${kind} is not served`);
    const { items } = await cluster.list(served, { namespace });
    for (const object of items)
      if (object.metadata.name !== 'kube-root-ca.crt')
        found.push([`${kind}/${object.metadata.name}`, digestOf(withoutStatus(object))]);
  }
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Names whose digests differ between two looks. */
export function moved(from: Readonly<Record<string, string>>, to: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(from), ...Object.keys(to)])].filter((name) => from[name] !== to[name]).sort();
}

/** Controllers write a status when they please, and each write counts in resourceVersion. */
function withoutStatus({ status: _status, ...object }: KubeObject): unknown {
  const { resourceVersion: _version, managedFields = [], ...metadata } = object.metadata;
  const written = managedFields.filter(({ subresource }) => subresource !== 'status');
  return { ...object, metadata: { ...metadata, managedFields: written } };
}
