import { BackstayError } from '../errors/index.ts';
import type { ForeignField } from '../model/index.ts';
import type { Cluster } from '../ports/index.ts';
import type { EngineLog } from './engine-log.ts';
import { kubernetesPlugin, VERSION } from './kubernetes/plugin.ts';
import { Session } from './kubernetes/session.ts';
import type { Plugin } from './plugin.ts';
import { urnParts } from './urn.ts';

export interface Surroundings {
  readonly cluster: Cluster;
  readonly foreign: readonly ForeignField[];
  readonly readyTimeoutMs: number;
}

const UID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The `kubernetes` package for an engine that we did not start: a plugin process learns its stack from the first URN. It has
 * no plan to keep to, so that it does what Pulumi asks; but not in another cluster than the snapshot's (CLUSTER_MISMATCH).
 */
export function standalone(surroundingsOf: (stack: string) => Promise<Surroundings>, log: EngineLog): Plugin {
  let expected: string | undefined;
  let opened: Promise<Plugin> | undefined;
  const open = async (stack: string): Promise<Plugin> => {
    const surroundings = await surroundingsOf(stack);
    const { uid } = await surroundings.cluster.identity();
    if (expected !== undefined && UID.test(expected) && expected !== uid) {
      throw new BackstayError(
        'CLUSTER_MISMATCH',
        `The target of ${stack} belongs to cluster ${expected}, and this is ${uid}.`,
        { next: 'Choose the right context in the stack file or $KUBECONFIG.' },
      );
    }
    return kubernetesPlugin(new Session({ ...surroundings, onProgress: () => undefined, log }));
  };
  const plugin = (urn: string): Promise<Plugin> => (opened ??= open(urnParts(urn).stack));
  return {
    name: 'kubernetes',
    version: VERSION,
    async configure({ value }) {
      const identifier = value['clusterIdentifier'];
      expected = typeof identifier === 'string' ? identifier : undefined;
    },
    check: async (resource) => (await plugin(resource.urn)).check(resource),
    diff: async (resource) => (await plugin(resource.urn)).diff(resource),
    create: async (resource) => (await plugin(resource.urn)).create(resource),
    read: async (resource) => (await plugin(resource.urn)).read(resource),
    update: async (resource) => (await plugin(resource.urn)).update(resource),
    delete: async (resource) => (await plugin(resource.urn)).delete(resource),
  };
}
