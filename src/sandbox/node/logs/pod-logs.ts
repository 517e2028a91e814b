import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../pods/pod-types.ts';
import { uidOf } from '../pods/pod-types.ts';
import { ContainerLog } from './container-log.ts';

/** The logs of one pod: of every container the present run and the one before it. */
export class PodLogs {
  readonly #folder: string;
  readonly #runs = new Map<string, { current: ContainerLog; previous?: ContainerLog }>();

  constructor(dir: string, pod: Pod) {
    this.#folder = join(dir, `${pod.metadata.namespace ?? 'default'}_${pod.metadata.name}_${uidOf(pod)}`);
  }

  /** Opens the log of a container's next run. The run before the last one is removed. */
  async begin(container: string, restart: number): Promise<ContainerLog> {
    const current = new ContainerLog(join(this.#folder, container, `${restart}.log`));
    const before = this.#runs.get(container);
    this.#runs.set(container, { current, ...(before === undefined ? {} : { previous: before.current }) });
    const dropped = before?.previous?.file;
    if (dropped !== undefined) await Promise.all([rm(dropped, { force: true }), rm(`${dropped}.1`, { force: true })]);
    return current;
  }

  find(container: string, previous: boolean): ContainerLog | undefined {
    const runs = this.#runs.get(container);
    return previous ? runs?.previous : runs?.current;
  }

  async remove(): Promise<void> {
    for (const { current } of this.#runs.values()) current.end();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
