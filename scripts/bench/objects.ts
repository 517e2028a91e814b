import { join } from 'node:path';
import { compose } from '../../src/compose.ts';
import type { KubeObject } from '../../src/model/index.ts';
import type { Home } from './home.ts';

export function namespaceOf(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

/** Configuration as stacks have it: nine ConfigMaps for one Secret, each of some hundred bytes. */
export function configuration(namespace: string, count: number, release: string): readonly KubeObject[] {
  return Array.from({ length: count }, (_, index): KubeObject => {
    const metadata = { name: `config-${index}`, namespace, labels: { app: `app-${index % 40}`, release } };
    if (index % 10 === 9) {
      const password = Buffer.from(`password ${index} of release ${release}`).toString('base64');
      return { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data: { password, user: 'YXBw' } };
    }
    const settings = Array.from({ length: 12 }, (__, line) => `setting.${line} = ${line * index}`);
    const data = { RELEASE: release, LOG_LEVEL: 'info', 'app.properties': `${settings.join('\n')}\n` };
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
  });
}

/** Deployments of one pod each that kwok's nodes make ready at once. */
export function fakeDeployments(namespace: string, count: number, image: string): readonly KubeObject[] {
  return Array.from({ length: count }, (_, index): KubeObject => {
    const name = `worker-${index}`;
    const labels = { app: name };
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace, labels },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            nodeSelector: { type: 'kwok' },
            tolerations: [{ key: 'kwok.x-k8s.io/node', operator: 'Exists', effect: 'NoSchedule' }],
            containers: [{ name: 'main', image }],
          },
        },
      },
    };
  });
}

const AT_ONCE = 16;

/** Creates the objects over one connection: making them is not what is measured. */
export async function createAll(home: Home, stack: string, objects: readonly KubeObject[]): Promise<void> {
  const composition = await compose({ stack, env: home.env, cwd: join(home.dir, 'project') });
  try {
    const cluster = await composition.cluster();
    const queue = objects.values();
    const worker = async (): Promise<void> => {
      for (const object of queue) await cluster.create(object);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } finally {
    await composition.close();
  }
}
