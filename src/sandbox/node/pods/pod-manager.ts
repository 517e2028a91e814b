import type { KubeObject } from '../../../model/index.ts';
import { follow } from '../network/follow.ts';
import type { NodeContext } from './context.ts';
import type { Pod } from './pod-types.ts';
import { podName, uidOf } from './pod-types.ts';
import { PodWorker, removePod } from './pod-worker.ts';

/** Every pod that is bound to this node, each with its worker. */
export class PodManager {
  readonly #node: NodeContext;
  readonly #workers = new Map<string, PodWorker>();
  #stopping = false;

  constructor(node: NodeContext) {
    this.#node = node;
  }

  async start(signal: AbortSignal): Promise<void> {
    const fieldSelector = `spec.nodeName=${this.#node.nodeName}`;
    await follow(
      this.#node.cluster,
      { apiVersion: 'v1', kind: 'Pod' },
      {
        signal,
        log: this.#node.log,
        fieldSelector,
        apply: (type, object) => this.#apply(type, object),
      },
    );
  }

  /** For processes that are started beside a pod's own (exec). */
  get childStarted(): NodeContext['childStarted'] {
    return this.#node.childStarted;
  }

  get childEnded(): NodeContext['childEnded'] {
    return this.#node.childEnded;
  }

  workers(): readonly PodWorker[] {
    return [...this.#workers.values()];
  }

  find(namespace: string, name: string): PodWorker | undefined {
    const named = this.workers().filter(({ pod }) => podName(pod) === `${namespace}/${name}`);
    // While a pod of the same name is still ending, the newer one is meant.
    return named.at(-1);
  }

  /** Ends every process within `graceMs`; the objects stay, the API server is about to go as well. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const workers = this.workers();
    for (const worker of workers) worker.halt(graceMs);
    await Promise.all(workers.map((worker) => worker.done));
  }

  #apply(type: 'added' | 'modified' | 'deleted', object: KubeObject): void {
    if (this.#stopping) return;
    const pod = object as Pod;
    const uid = uidOf(pod);
    const worker = this.#workers.get(uid);
    if (type === 'deleted') worker?.abandon();
    else if (worker !== undefined) worker.update(pod);
    else if (pod.metadata.deletionTimestamp !== undefined) void removePod(this.#node, pod);
    else if (pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed') this.#begin(pod, uid);
  }

  #begin(pod: Pod, uid: string): void {
    const worker = new PodWorker(pod, this.#node);
    this.#workers.set(uid, worker);
    void worker.done.then(() => this.#workers.delete(uid));
  }
}
