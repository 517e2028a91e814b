import { setTimeout as delay } from 'node:timers/promises';
import { isBackstayError } from '../../../errors/index.ts';
import { canonicalJson, type JsonObject } from '../../../model/index.ts';
import type { Cluster } from '../../../ports/index.ts';
import type { Pod } from '../pods/pod-types.ts';
import { podName, uidOf } from '../pods/pod-types.ts';

/** Changes within this time go out as one patch: a container's start is several small steps. Milliseconds. */
const GATHER_MS = 15;
const RETRY_MS = 1000;

/** Keeps a pod's status on the API server equal to what `build` says: one patch at a time, and none without a change. */
export class StatusWriter {
  readonly #cluster: Cluster;
  readonly #pod: Pod;
  readonly #build: () => JsonObject;
  readonly #log: (line: string) => void;
  #written: string | undefined;
  #dirty = false;
  #running: Promise<void> | undefined;
  #gone = false;

  constructor(cluster: Cluster, pod: Pod, build: () => JsonObject, log: (line: string) => void) {
    this.#cluster = cluster;
    this.#pod = pod;
    this.#build = build;
    this.#log = log;
  }

  changed(): void {
    this.#dirty = true;
    this.#running ??= this.#run();
  }

  /** Resolves when what `build` says now has been written, or the pod is gone. */
  async flush(): Promise<void> {
    this.changed();
    while (this.#running !== undefined) await this.#running;
  }

  /** Writes nothing more. */
  close(): void {
    this.#gone = true;
  }

  async #run(): Promise<void> {
    await delay(GATHER_MS);
    while (this.#dirty && !this.#gone) {
      this.#dirty = false;
      const status = this.#build();
      const text = canonicalJson(status);
      if (text === this.#written) continue;
      if (await this.#write(status)) this.#written = text;
      else if (!this.#gone) {
        this.#dirty = true;
        await delay(RETRY_MS);
      }
    }
    this.#running = undefined;
  }

  async #write(status: JsonObject): Promise<boolean> {
    const { name, namespace = 'default' } = this.#pod.metadata;
    // The uid keeps the status of a pod from landing on a later one of the same name.
    const body = { metadata: { uid: uidOf(this.#pod) }, status };
    try {
      const ref = { apiVersion: 'v1', kind: 'Pod', namespace, name };
      await this.#cluster.patch(ref, { type: 'strategic', body }, { subresource: 'status', fieldManager: 'kubelet' });
      return true;
    } catch (error) {
      const gone = await this.#isGone(error);
      this.#gone ||= gone;
      if (!this.#gone) this.#log(`status of ${podName(this.#pod)} could not be written: ${String(error)}`);
      return false;
    }
  }

  async #isGone(error: unknown): Promise<boolean> {
    if (isBackstayError(error, 'CLUSTER_UNREACHABLE')) return false;
    const { name, namespace = 'default' } = this.#pod.metadata;
    const live = await this.#cluster.get({ apiVersion: 'v1', kind: 'Pod', namespace, name }).catch(() => this.#pod);
    return live?.metadata.uid !== uidOf(this.#pod);
  }
}
