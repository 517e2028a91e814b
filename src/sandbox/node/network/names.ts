/** A name that cluster DNS would answer, taken apart. */
export interface ServiceName {
  readonly service: string;
  readonly namespace: string;
  /** One pod behind a headless Service: `postgres-0.postgres.production.svc`. */
  readonly hostname?: string;
}

/**
 * What a name may mean for a pod of `namespace`, the likeliest first, as a pod's DNS search path would try it.
 * Empty: not a name of the cluster.
 */
export function serviceNames(host: string, namespace: string): readonly ServiceName[] {
  const name = host.toLowerCase().replace(/\.$/, '');
  const inCluster = /^(.+)\.svc(?:\.cluster\.local)?$/.exec(name);
  const labels = (inCluster?.[1] ?? name).split('.');
  const [first = '', second = '', third = ''] = labels;
  if (labels.some((label) => !/^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/.test(label))) return [];
  if (inCluster !== null) {
    if (labels.length === 2) return [{ service: first, namespace: second }];
    return labels.length === 3 ? [{ hostname: first, service: second, namespace: third }] : [];
  }
  if (labels.length === 1) return first === 'localhost' ? [] : [{ service: first, namespace }];
  if (labels.length === 2) {
    return [
      { service: first, namespace: second },
      { hostname: first, service: second, namespace },
    ];
  }
  return [];
}
