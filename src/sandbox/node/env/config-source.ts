import type { Cluster } from '../../../ports/index.ts';
import type { KubeObject } from '../../../model/index.ts';
import { follow } from '../network/follow.ts';
import type { SourceKind } from './resolve.ts';

/**
 * ConfigMaps and Secrets as containers need them: read fresh when a container starts, so that a process never begins
 * with a value that was already replaced; the watch only says when it is worth looking again.
 */
export class ConfigSource {
  readonly #cluster: Cluster;
  readonly #listeners = new Map<string, Set<() => void>>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async start(signal: AbortSignal, log: (line: string) => void): Promise<void> {
    const watchKind = (kind: SourceKind): Promise<void> =>
      follow(
        this.#cluster,
        { apiVersion: 'v1', kind },
        { signal, log, apply: (_type, object) => this.#notify(object) },
      );
    await Promise.all([watchKind('ConfigMap'), watchKind('Secret')]);
  }

  async read(kind: SourceKind, namespace: string, name: string): Promise<KubeObject | undefined> {
    return await this.#cluster.get({ apiVersion: 'v1', kind, namespace, name });
  }

  /** Calls back on every change of the object, its creation included, until the returned function is called. */
  onChange(kind: SourceKind, namespace: string, name: string, callback: () => void): () => void {
    const key = `${kind}/${namespace}/${name}`;
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    listeners.add(callback);
    return () => {
      listeners.delete(callback);
      if (listeners.size === 0) this.#listeners.delete(key);
    };
  }

  #notify(object: KubeObject): void {
    const listeners = this.#listeners.get(`${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`);
    for (const callback of listeners ?? []) callback();
  }
}
