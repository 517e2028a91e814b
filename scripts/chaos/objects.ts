import type { JsonObject, KubeObject } from '../../src/model/index.ts';

export type Version = 'good' | 'bad';

/**
 * A small stack of which going from bad to good does everything that a run can do to objects: update a ConfigMap, a Secret
 * and the Deployment whose pods read them, create one, replace one (its selector is immutable) and delete one.
 */
export function objectsOf(namespace: string, version: Version): readonly KubeObject[] {
  const meta = (name: string) => ({ name, namespace, labels: { app: name } });
  const config = (name: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: meta(name),
    data: { version },
  });
  return [
    config('settings'),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: meta('token'),
      type: 'Opaque',
      data: { TOKEN: Buffer.from(`the ${version} token`).toString('base64') },
    },
    deployment(namespace, 'reader', {}, [{ configMapRef: { name: 'settings' } }, { secretRef: { name: 'token' } }]),
    deployment(namespace, 'worker', { track: version }, []),
    config(version === 'good' ? 'created' : 'deleted'),
  ];
}

function deployment(
  namespace: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  envFrom: readonly JsonObject[],
): KubeObject {
  const matchLabels = { app: name, ...labels };
  // A program that starts in no time: hundreds of pods come and go, and none of them is looked into.
  const container = { name: 'main', image: 'backstay/echo:v1', command: ['/bin/sleep', '86400'], envFrom };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      replicas: 1,
      selector: { matchLabels },
      template: {
        metadata: { labels: matchLabels },
        spec: { terminationGracePeriodSeconds: 0, containers: [container] },
      },
    },
  };
}
