import { createHash, randomBytes } from 'node:crypto';
import type { KubeObject } from '../../../model/index.ts';
import type { Cluster } from '../../../ports/index.ts';
import type { Pod } from '../pods/pod-types.ts';
import { rfc3339 } from './time.ts';

export interface EventInput {
  readonly pod: Pod;
  /** The container the event is about; without one it is about the pod. */
  readonly container?: string;
  readonly init?: boolean;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

interface Recorded {
  readonly name: string;
  readonly first: string;
  count: number;
}

/** A kubelet's limits: a burst for each pod, then one event in five minutes. */
const BURST = 25;
const REFILL_MS = 300_000;

/** Writes Events as a kubelet does: the same one again raises its count. Never in the way: failures are only logged. */
export class EventRecorder {
  readonly #cluster: Cluster;
  readonly #host: string;
  readonly #log: (line: string) => void;
  readonly #recorded = new Map<string, Map<string, Recorded>>();
  readonly #tokens = new Map<string, { left: number; at: number }>();
  #tail: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(cluster: Cluster, host: string, log: (line: string) => void) {
    this.#cluster = cluster;
    this.#host = host;
    this.#log = log;
  }

  record(input: EventInput): void {
    const uid = input.pod.metadata.uid ?? '';
    if (this.#closed || !this.#permitted(uid)) return;
    const now = rfc3339(Date.now());
    const ofPod = this.#recorded.get(uid) ?? new Map<string, Recorded>();
    this.#recorded.set(uid, ofPod);
    const key = createHash('sha1')
      .update(JSON.stringify([input.container, input.type, input.reason, input.message]))
      .digest('hex');
    const before = ofPod.get(key);
    // One after another: events are not urgent, and a burst of them must not crowd out status patches.
    if (before === undefined) {
      const recorded = { name: `${input.pod.metadata.name}.${randomBytes(8).toString('hex')}`, first: now, count: 1 };
      ofPod.set(key, recorded);
      this.#enqueue(() => this.#cluster.create(this.#object(input, recorded, now), { fieldManager: 'kubelet' }));
      return;
    }
    before.count += 1;
    const ref = {
      apiVersion: 'v1',
      kind: 'Event',
      namespace: input.pod.metadata.namespace ?? 'default',
      name: before.name,
    };
    const body = { count: before.count, lastTimestamp: now };
    this.#enqueue(() => this.#cluster.patch(ref, { type: 'merge', body }, { fieldManager: 'kubelet' }));
  }

  /** Forgets a pod that is gone. */
  forget(uid: string): void {
    this.#recorded.delete(uid);
    this.#tokens.delete(uid);
  }

  close(): void {
    this.#closed = true;
  }

  #enqueue(write: () => Promise<unknown>): void {
    this.#tail = this.#tail.then(async () => {
      if (this.#closed) return;
      try {
        await write();
      } catch (error) {
        // A namespace that is being removed takes no events; a pod that is gone needs none.
        if (!this.#closed && !/being terminated|not found/.test(String(error)))
          this.#log(`an event could not be written: ${String(error)}`);
      }
    });
  }

  #permitted(uid: string): boolean {
    const now = Date.now();
    const bucket = this.#tokens.get(uid) ?? { left: BURST, at: now };
    const refilled = Math.floor((now - bucket.at) / REFILL_MS);
    const left = Math.min(BURST, bucket.left + refilled);
    this.#tokens.set(uid, { left: Math.max(0, left - 1), at: bucket.at + refilled * REFILL_MS });
    return left > 0;
  }

  #object(input: EventInput, recorded: Recorded, now: string): KubeObject {
    const { name, namespace = 'default', uid = '', resourceVersion = '' } = input.pod.metadata;
    const field = input.init === true ? 'initContainers' : 'containers';
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: recorded.name, namespace },
      involvedObject: {
        apiVersion: 'v1',
        kind: 'Pod',
        name,
        namespace,
        uid,
        resourceVersion,
        ...(input.container === undefined ? {} : { fieldPath: `spec.${field}{${input.container}}` }),
      },
      type: input.type,
      reason: input.reason,
      message: input.message.slice(0, 1024),
      source: { component: 'kubelet', host: this.#host },
      reportingComponent: 'kubelet',
      reportingInstance: this.#host,
      firstTimestamp: recorded.first,
      lastTimestamp: now,
      count: 1,
    };
  }
}
